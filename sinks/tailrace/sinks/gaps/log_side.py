"""A partition's account: every record that the log holds is a row, or it is said why it is none.

Offsets alone are no measure, since transactions leave markers and compaction leaves holes. So the
log is read, though not decoded: a record's schema id says which table it belongs to.
"""

from __future__ import annotations

import asyncio
from array import array
from typing import TYPE_CHECKING

from aiokafka import TopicPartition

from tailrace.schemas.wire import HEADER_BYTES, WireError, split_frame
from tailrace.sinks.clickhouse import ask, ask_bytes
from tailrace.sinks.gaps.identities import explain
from tailrace.sinks.tables import SKIPPED_RECORDS, TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clickhouse_connect.driver.client import Client

    from tailrace.schemas.wire import SchemaSource
    from tailrace.sinks.archive.cutting import LogRecord
    from tailrace.sinks.gaps.accounts import PartitionAccount
    from tailrace.sinks.gaps.log import Log
    from tailrace.sinks.gaps.options import LedgerOptions

# The times bound the parts and granules that are read: the tables are not sorted by offset.
_STORED = """
SELECT offset
FROM {table:Identifier}
WHERE log_id = {log_id:String} AND topic = {topic:String} AND partition = {partition:Int32}
    AND offset BETWEEN {first:Int64} AND {last:Int64}
    AND broker_ts BETWEEN fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
SETTINGS max_memory_usage = 1000000000
"""
_DEAD = """
SELECT DISTINCT source_offset
FROM dead_letters
WHERE source_log_id = {log_id:String} AND source_topic = {topic:String}
    AND source_partition = {partition:Int32}
    AND source_offset BETWEEN {first:Int64} AND {last:Int64}
"""

Coordinates = tuple[str, int, int]
"""Topic, partition and offset."""


class LogSide:
    """Makes the accounts of partitions.

    Args:
        log: where the records lie.
        client: from `clickhouse.connect`.
        source: where schemas are looked up.
        options: of the ledger.
        forgotten: ids of erased traces.
        letters: sources of dead letters that are on the log and not yet in their table.
    """

    def __init__(
        self,
        log: Log,
        client: Client,
        source: SchemaSource,
        options: LedgerOptions,
        *,
        forgotten: frozenset[str] = frozenset(),
        letters: frozenset[Coordinates] = frozenset(),
    ) -> None:
        self._log = log
        self._client = client
        self._source = source
        self._options = options
        self._forgotten = forgotten
        self._letters = letters
        self._prefix = options.sink.topic_prefix

    async def fill(self, account: PartitionAccount) -> None:
        """Read the partition and count into its account; holds one chunk of it at a time.

        Raises:
            LogUnreadableError: if the log cannot be read.
            QueryFailedError, ClickHouseUnreachableError: if ClickHouse does not answer.
        """
        partition = TopicPartition(account.topic, account.partition)
        chunk: list[LogRecord] = []
        size_bytes = 0
        account.waiting = max(0, account.end - max(account.stored_to, account.begin))
        async for records in self._log.read(partition, account.begin, account.end):
            for record in records:
                if record.offset >= account.stored_to:
                    account.waiting_since_ms = record.timestamp
                    break
                chunk.append(record)
                size_bytes += len(record.value or b"")
                if (
                    len(chunk) >= self._options.chunk_offsets
                    or size_bytes >= self._options.chunk_bytes
                ):
                    await asyncio.to_thread(self._judge, account, chunk)
                    chunk, size_bytes = [], 0
            if account.waiting_since_ms is not None:
                break
        if chunk:
            await asyncio.to_thread(self._judge, account, chunk)

    def _judge(self, account: PartitionAccount, chunk: Sequence[LogRecord]) -> None:
        owed = self._owed(chunk)
        account.records += len(chunk)
        account.skipped += len(chunk) - len(owed)
        bounds = {
            "log_id": account.log_id,
            "topic": account.topic,
            "partition": account.partition,
            "first": chunk[0].offset,
            "last": chunk[-1].offset,
            "from_ms": min(record.timestamp for record in chunk),
            "to_ms": max(record.timestamp for record in chunk),
        }
        stored = self._stored(account.topic, bounds)
        account.stored += len(owed.keys() & stored)
        account.surplus += len(stored - owed.keys())
        rowless = [record for offset, record in owed.items() if offset not in stored]
        if rowless:
            self._explain(account, rowless, bounds)

    def _explain(
        self,
        account: PartitionAccount,
        rowless: Sequence[LogRecord],
        bounds: Mapping[str, object],
    ) -> None:
        dead = {row["source_offset"] for row in ask(self._client, _DEAD, bounds)}
        dead |= {
            record.offset
            for record in rowless
            if (account.topic, account.partition, record.offset) in self._letters
        }
        rest = [record for record in rowless if record.offset not in dead]
        found = explain(self._client, self._source, rest, self._forgotten)
        accounted = dead | found.replaced | found.forgotten
        account.dead += sum(record.offset in dead for record in rowless)
        account.replaced += len(found.replaced)
        account.forgotten += len(found.forgotten)
        account.missing.add(record.offset for record in rowless if record.offset not in accounted)

    def _owed(self, chunk: Sequence[LogRecord]) -> dict[int, LogRecord]:
        """Return the records that must be a row or a dead letter, by offset."""
        skipped: dict[bytes, bool] = {}
        owed: dict[int, LogRecord] = {}
        for record in chunk:
            value = record.value
            if value is None:
                continue
            header = value[:HEADER_BYTES]
            skip = skipped.get(header)
            if skip is None:
                skip = skipped[header] = self._is_skipped(header)
            if not skip:
                owed[record.offset] = record
        return owed

    def _is_skipped(self, header: bytes) -> bool:
        try:
            return self._source[split_frame(header)[0]].name in SKIPPED_RECORDS
        except (WireError, KeyError):
            return False

    def _stored(self, topic: str, bounds: Mapping[str, object]) -> set[int]:
        stored: set[int] = set()
        for table in TABLES:
            if topic in {declared.name(self._prefix) for declared in table.topics}:
                offsets = array("q")
                answer = ask_bytes(
                    self._client, _STORED, {**bounds, "table": table.name}, "RowBinary"
                )
                offsets.frombytes(b"".join(answer))
                stored.update(offsets)
        return stored
