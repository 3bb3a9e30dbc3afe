"""The whole ledger: the partitions first, then the runs that must be whole by what they showed.

Order matters. The ends are taken before the commits, and the ends of the dead letters after them: a
record below a commit was stored or dead-lettered before that commit was made.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tailrace.schemas import topics
from tailrace.schemas.endpoints import kafka_options
from tailrace.schemas.schema_log import SchemaFollower
from tailrace.schemas.wire import WireError, decode
from tailrace.sinks.clickhouse import connect
from tailrace.sinks.forgotten import read_forgotten
from tailrace.sinks.gaps.accounts import PartitionAccount
from tailrace.sinks.gaps.log import open_log
from tailrace.sinks.gaps.log_side import LogSide
from tailrace.sinks.gaps.run_side import RunSide
from tailrace.sinks.tables import archived_topics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickhouse_connect.driver.client import Client

    from tailrace.sinks.gaps.accounts import NameGap, RunGap, RunTotals
    from tailrace.sinks.gaps.log import Log
    from tailrace.sinks.gaps.log_side import Coordinates
    from tailrace.sinks.gaps.options import LedgerOptions

# What the runs' own account rests on.
_RUN_TOPICS = (topics.RUNS, topics.STEPS, topics.BODIES)


class Ledger:
    """The partitions' accounts, and the runs' gaps as they are read.

    Args:
        partitions: every archived partition's account, filled.
        runs: the other side, not begun.
    """

    def __init__(self, partitions: tuple[PartitionAccount, ...], runs: RunSide) -> None:
        self.partitions = partitions
        self._runs = runs

    @property
    def totals(self) -> RunTotals:
        """What the runs come to; whole when `gaps` is read to its end."""
        return self._runs.totals

    @property
    def whole(self) -> bool:
        """Whether nothing is missing, of the log and of what was read of `gaps`."""
        return self.totals.whole and not any(each.missing.count for each in self.partitions)

    def gaps(self) -> Iterator[RunGap | NameGap]:
        """Yield every gap of a run; to be read once. Raises as `RunSide.gaps` does."""
        return self._runs.gaps()


async def open_ledger(options: LedgerOptions, client: Client | None = None) -> Ledger:
    """Return the ledger, with the log read and the runs still to be gone through.

    Nothing is written or committed, and no sink is disturbed.

    Raises:
        LogUnreadableError: if the log cannot be read.
        NotMigratedError: if there are no tables yet.
        QueryFailedError, ClickHouseUnreachableError: if ClickHouse does not answer.
    """
    sink = options.sink
    found = client or await asyncio.to_thread(connect, sink.clickhouse, sink.database)
    began = time.time()
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(open_log(sink.kafka, sink.topic_prefix))
        follower = await stack.enter_async_context(
            SchemaFollower(prefix=sink.topic_prefix, options=kafka_options(sink.kafka))
        )
        accounts = await _accounts(log, options)
        side = LogSide(
            log,
            found,
            follower.book,
            options,
            forgotten=await read_forgotten(log, sink.topic_prefix),
            letters=await _letters_under_way(log, options),
        )
        for account in accounts:
            await side.fill(account)
    settled = _settled(accounts, sink.topic_prefix, began - options.settle_s)
    return Ledger(tuple(accounts), RunSide(found, options, settled))


async def _accounts(log: Log, options: LedgerOptions) -> list[PartitionAccount]:
    names = [topic.name(options.sink.topic_prefix) for topic in archived_topics()]
    partitions = await log.partitions(names)
    ends = await log.ends(partitions)
    begins = await log.begins(partitions)
    committed = await log.committed(options.sink.group_id, partitions)
    starts = begins
    if options.since is not None:
        later = await log.offsets_at(partitions, int(options.since.timestamp() * 1000))
        starts = {partition: later.get(partition, ends[partition]) for partition in partitions}
    return [
        PartitionAccount(
            log.log_id,
            partition.topic,
            partition.partition,
            begin=starts[partition],
            end=ends[partition],
            stored_to=committed.get(partition, begins[partition]),
            log_begin=begins[partition],
        )
        for partition in partitions
    ]


async def _letters_under_way(log: Log, options: LedgerOptions) -> frozenset[Coordinates]:
    """Return the sources of dead letters that the sink has not stored yet."""
    partitions = await log.partitions([topics.DEAD_LETTERS.name(options.sink.topic_prefix)])
    committed = await log.committed(options.sink.group_id, partitions)
    begins, ends = await log.begins(partitions), await log.ends(partitions)
    found: set[Coordinates] = set()
    for partition in partitions:
        start = max(committed.get(partition, 0), begins[partition])
        async for records in log.read(partition, start, ends[partition]):
            found |= {place for record in records if (place := _source_of(record.value))}
    return frozenset(found)


def _source_of(letter: bytes | None) -> Coordinates | None:
    try:
        schema, fields = decode(letter or b"")
    except WireError:
        return None
    if schema.name != "dead_letter":
        return None
    return fields["source_topic"], fields["source_partition"], fields["source_offset"]


def _settled(accounts: list[PartitionAccount], prefix: str, latest_s: float) -> datetime:
    """Return the broker's time before which nothing of runs waits to be stored."""
    names = {topic.name(prefix) for topic in _RUN_TOPICS}
    waiting = [
        account.waiting_since_ms / 1000
        for account in accounts
        if account.topic in names and account.waiting_since_ms is not None
    ]
    return datetime.fromtimestamp(min([latest_s, *waiting]), UTC)
