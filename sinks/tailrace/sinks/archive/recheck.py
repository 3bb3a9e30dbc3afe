"""Holds the unsettled rows of a partition to the tables, and has stored again what is missing.

As a rule that is one count, bounded by the offsets and by the broker's times, by which the tables
prune. Where it is not what the commit told, the log is read and compared record by record, as the
ledger does: a repeat that replaced a row, a dead letter, a forgotten trace, a heartbeat and a
transaction's marker are no losses.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from aiokafka import TopicPartition

from tailrace.sinks.archive.repair import ATTEMPTS, Repair
from tailrace.sinks.archive.storing import BlockStore, UnknownSchemasError
from tailrace.sinks.clickhouse import ClickHouseUnreachableError, QueryFailedError, ask
from tailrace.sinks.forgotten import read_forgotten
from tailrace.sinks.gaps.accounts import PartitionAccount
from tailrace.sinks.gaps.log import LogUnreadableError, open_log
from tailrace.sinks.gaps.log_side import LogSide
from tailrace.sinks.gaps.options import LedgerOptions
from tailrace.sinks.gaps.ranges import Missing
from tailrace.sinks.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickhouse_connect.driver.client import Client

    from tailrace.schemas.wire import SchemaSource
    from tailrace.sinks.archive.blocks import Place
    from tailrace.sinks.archive.cutting import LogRecord, Range
    from tailrace.sinks.archive.options import SinkOptions
    from tailrace.sinks.archive.repair import RepairInsert
    from tailrace.sinks.archive.unsettled import Recent
    from tailrace.sinks.archive.writer import Writer
    from tailrace.sinks.gaps.log import Log

_log = logging.getLogger(__name__)

_AWAY = (ClickHouseUnreachableError, QueryFailedError, LogUnreadableError, TimeoutError)
_PAUSE_S = 2.0
_COUNT = """
SELECT uniqExact(offset) AS rows
FROM {table:Identifier}
WHERE log_id = {log_id:String} AND topic = {topic:String} AND partition = {partition:Int32}
    AND offset >= {first:Int64} AND offset < {end:Int64}
    AND broker_ts BETWEEN fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
"""


class Recheck:
    """Checks ranges of any partition.

    Args:
        options: of the sink.
        client: in the database of the tables.
        writer: inserts.
        source: where schemas are looked up.
        on_compared: called for each portion of the log that was compared with the tables; by these
            calls a repair that takes long is told from one that is stuck.
    """

    def __init__(
        self,
        options: SinkOptions,
        client: Client,
        writer: Writer,
        source: SchemaSource,
        on_compared: Callable[[], None] = lambda: None,
    ) -> None:
        self._options = options
        self._client = client
        self._source = source
        self._on_compared = on_compared
        self._one = asyncio.Semaphore(1)  # one log that is read again, whatever the partitions
        # Every record was judged when the sink met it: no share of bad ones stops a repair.
        self._store = BlockStore(writer, source, max_rejected_share=1.0)

    async def __call__(self, place: Place, recent: Recent, end: int) -> int:
        """Return how many rows below `end` were missing, and are stored again.

        May be cut off anywhere, and be done by several owners at once. Servers that are away are
        waited for as an insert waits for them.

        Raises:
            TailraceError: if a server does not do its part within `SinkOptions.patience_s`.
        """
        deadline = time.monotonic() + self._options.patience_s
        while True:
            try:
                return await self._once(place, recent, end)
            except _AWAY as error:
                if time.monotonic() > deadline:
                    raise
                _log.warning("rows of %s are looked at again later: %s", place.topic, error)
            await asyncio.sleep(_PAUSE_S)

    async def _once(self, place: Place, recent: Recent, end: int) -> int:
        counted = await asyncio.to_thread(self._count, place, recent, end)
        if counted == recent.rows:
            return 0
        async with self._one, open_log(self._options.kafka, self._options.topic_prefix) as log:
            return await self._repair(log, place, recent.first, end)

    def _count(self, place: Place, recent: Recent, end: int) -> int:
        parameters = {
            "log_id": place.log_id,
            "topic": place.topic,
            "partition": place.partition,
            "first": recent.first,
            "end": end,
            "from_ms": recent.from_ms,
            "to_ms": recent.to_ms,
        }
        prefix = self._options.topic_prefix
        return sum(
            int(ask(self._client, _COUNT, {**parameters, "table": table.name})[0]["rows"])
            for table in TABLES
            if place.topic in {topic.name(prefix) for topic in table.topics}
        )

    async def _repair(self, log: Log, place: Place, first: int, end: int) -> int:
        partition = TopicPartition(place.topic, place.partition)
        begin = max(first, (await log.begins([partition]))[partition])
        repair: Repair[LogRecord] = Repair(begin, end, self._options.limits)
        refused: set[int] = set()
        repaired = 0
        while (window := repair.window) is not None:
            missing = await self._missing(log, place, window)
            self._on_compared()
            repair.found_missing(await self._read(log, partition, missing - refused))
            if (insert := repair.next_insert()) is None:
                continue
            refused |= await asyncio.to_thread(self._insert, place, insert)
            repaired += len(insert.block.records) if insert.attempt == 0 else 0
            repair.done(insert)
        _tell(place, end, repaired, repair)
        return repaired

    async def _missing(self, log: Log, place: Place, window: Range) -> set[int]:
        """Return the offsets of records that must be rows, or dead letters, and are not."""
        while True:
            forgotten = await read_forgotten(log, self._options.topic_prefix)
            account = PartitionAccount(
                place.log_id,
                place.topic,
                place.partition,
                begin=window.first,
                end=window.last + 1,
                stored_to=window.last + 1,
                missing=Missing(kept=window.last + 1),
            )
            options = LedgerOptions(sink=self._options)
            side = LogSide(log, self._client, self._source, options, forgotten=forgotten)
            await side.fill(account)
            # A trace is recorded as forgotten before its rows go: then the next look knows it.
            known = not account.missing.count or forgotten == await read_forgotten(
                log, self._options.topic_prefix
            )
            if known:
                return {
                    offset
                    for part in account.missing.ranges
                    for offset in range(part.first, part.last + 1)
                }

    async def _read(
        self, log: Log, partition: TopicPartition, offsets: set[int]
    ) -> list[LogRecord]:
        """Return the records at the offsets, in order, until they make a portion."""
        found: list[LogRecord] = []
        size = 0
        if not offsets:
            return found
        async for records in log.read(partition, min(offsets), max(offsets) + 1):
            wanted = [record for record in records if record.offset in offsets]
            found += wanted
            size += sum(len(record.value or b"") for record in wanted)
            if size >= self._options.limits.size_bytes:
                break
        return found

    def _insert(self, place: Place, insert: RepairInsert[LogRecord]) -> set[int]:
        """Insert one portion; return the offsets of what is refused, as it was when it came."""
        block, attempt = insert.block, insert.attempt
        try:
            stored = self._store.store(place, block, repair=attempt)
        except UnknownSchemasError as unknown:
            stored = self._store.store(place, block, unknown.schema_ids, repair=attempt)
        return {rejected.record.offset for rejected in stored.rejected}


def _tell(place: Place, end: int, repaired: int, repair: Repair[LogRecord]) -> None:
    where = f"{place.topic}-{place.partition} below offset {end}"
    if repaired:
        _log.warning(
            "%d records of %s were not in the tables though they were acknowledged, as after a "
            "power failure: they are stored again",
            repaired,
            where,
        )
    if repair.given_up:
        _log.error(
            "rows of %s went missing again after each of %d repairs: see what deletes them, and "
            "`tailrace gaps`",
            where,
            ATTEMPTS,
        )
