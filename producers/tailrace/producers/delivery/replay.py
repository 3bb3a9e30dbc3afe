"""Segments of spools on their way to the log: this process's own, and those of processes gone.

A segment goes out in order: first all of it but the runs' last events, then those. So a run's last
event is sent when all that lay before it is acknowledged.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from tailrace.producers.delivery.ledger import Record
from tailrace.producers.delivery.passage import OnDisk, Passage
from tailrace.producers.delivery.spool import abandoned
from tailrace.schemas.topics import TOPICS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.producers.delivery.spool import Segment, Spool
    from tailrace.producers.delivery.spool_format import SpooledRecord

_log = logging.getLogger("tailrace.producers")

_TOPICS = {topic.suffix: topic for topic in TOPICS}
_TAKE_OVER_EVERY_S = 30.0


class Replay:
    """Sends segments. The sender's thread alone calls it.

    Args:
        queue: puts a record into its partition's queue.
        start: called when partitions' queues have got something.
    """

    def __init__(self, *, queue: Callable[[Record], None], start: Callable[[], None]) -> None:
        self._queue = queue
        self._start = start
        self.taken_over = 0
        """Records that were sent from the spools of processes that are gone."""

        self.corrupt = 0
        """Damaged stretches of spools that were skipped."""

    async def send(self, segment: Segment) -> int | None:
        """Send a segment and return how many records it held, once all are acknowledged.

        None if it cannot be read.
        """
        try:
            found = segment.read()
        except OSError:
            _log.exception("tailrace: %s cannot be read, and stays where it is", segment.path)
            return None
        if found.corrupt:
            self.corrupt += found.corrupt
            _log.error(
                "tailrace: %d damaged stretches of %s are skipped: the runs of these records show "
                "a gap",
                found.corrupt,
                segment.path,
            )
        for is_last in (False, True):
            passage = Passage()
            for place, spooled in zip(found.places, found.records, strict=True):
                if spooled.is_last is is_last:
                    self._send_one(spooled, segment.live.get(place), passage)
            self._start()
            await passage.wait()
        return len(found.records)

    async def take_over(self, own: Spool) -> None:
        """Send what processes of this host left in their spools, now and every half a minute.

        Args:
            own: this process's spool; theirs lie beside it.
        """
        while True:
            for spool in abandoned(own.root, but=own.folder):
                try:
                    await self._send_all(spool)
                finally:
                    spool.close()
            await asyncio.sleep(_TAKE_OVER_EVERY_S)

    async def _send_all(self, spool: Spool) -> None:
        while (segment := spool.oldest()) is not None:
            sent = await self.send(segment)
            if sent is None:
                break
            self.taken_over += sent
            spool.remove(segment)
            _log.warning(
                "tailrace: sent %d records that a process which is gone had left in its spool %s",
                sent,
                spool.folder,
            )

    def _send_one(self, spooled: SpooledRecord, live: Record | None, passage: Passage) -> None:
        if live is not None:
            assert live.disk is not None, "what lies on disk says so"
            passage.add(live.disk)
            return
        topic = _TOPICS.get(spooled.topic)
        if topic is None:  # of a newer version of this package
            self.corrupt += 1
            return
        record = Record(topic, spooled.key, spooled.value, None)
        record.disk = OnDisk()
        passage.add(record.disk)
        self._queue(record)
