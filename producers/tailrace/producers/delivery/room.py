"""What a caller meets when memory and spool are full: it waits, or its record is given up."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tailrace.producers.delivery.delivery import Delivery

_log = logging.getLogger("tailrace.producers")

MAX_QUEUED = 200_000
"""Entries that may wait for the sender's thread, whatever their size."""

WhenFull = Literal["block", "raise", "shed"]
"""What happens when memory and spool are full.

`block`: the caller waits for room, `max_block_s` once in an outage; after that records are shed,
counted, and their run shows the gap. `raise`: new runs and steps are refused with JournalFullError;
what has begun is recorded as long as there is room. `shed`: nobody waits.
"""

_RESERVE = 2
"""How many times the buffer may be filled by work that has begun, where new work is refused."""


class Room:
    """Says whether a record may still be queued. Any thread may ask; a hot path, so it is small."""

    __slots__ = ("_delivery", "_max_block_s", "_max_buffer_bytes", "_shedding", "_when_full")

    def __init__(
        self, delivery: Delivery, when_full: WhenFull, *, max_buffer_bytes: int, max_block_s: float
    ) -> None:
        self._delivery = delivery
        self._when_full = when_full
        self._max_buffer_bytes = max_buffer_bytes
        self._max_block_s = max_block_s
        self._shedding = False

    def make(self) -> bool:
        """Wait for room where that is asked for, once in an outage; say whether there is any."""
        delivery = self._delivery
        if self._when_full != "block":
            return len(delivery.queue) <= MAX_QUEUED and self._reserve()
        if not self._shedding and delivery.room.wait(self._max_block_s):
            return True
        if delivery.room.is_set():
            self._shedding = False
            return True
        if not self._shedding:
            self._shedding = True
            _log.error(
                "tailrace: Kafka has taken nothing for %s s and the buffer is full: events are now "
                "dropped and counted, and their runs will show a gap",
                self._max_block_s,
            )
        return False

    def _reserve(self) -> bool:
        """Say whether what has begun may still be recorded where new work is refused."""
        if self._when_full == "shed":
            return not self._delivery.full
        return self._delivery.ledger.outstanding_bytes < _RESERVE * self._max_buffer_bytes
