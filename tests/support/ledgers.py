"""A ledger read to its end, for tests of what is missing and what is not."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tailrace.sinks.clickhouse import connect
from tailrace.sinks.gaps.accounts import NameGap, PartitionAccount, RunGap, RunTotals
from tailrace.sinks.gaps.ledger import open_ledger
from tailrace.sinks.gaps.options import LedgerOptions

if TYPE_CHECKING:
    from tailrace.sinks.sink import SinkOptions


@dataclass
class Read:
    """What a ledger told."""

    partitions: tuple[PartitionAccount, ...]
    runs: list[RunGap]
    names: list[NameGap]
    totals: RunTotals
    whole: bool

    def sum(self, count: str) -> int:
        """Return a count, summed over the partitions."""
        return sum(getattr(account, count) for account in self.partitions)

    @property
    def lost(self) -> list[tuple[str, int, str]]:
        """Return topic, partition and each range of missing offsets."""
        return [
            (account.topic, account.partition, str(found))
            for account in self.partitions
            for found in account.missing.ranges
        ]


def read_ledger(sink: SinkOptions, **asked: Any) -> Read:
    """Open a ledger that judges even the youngest runs, and read it whole."""
    client = connect(sink.clickhouse, sink.database)
    options = replace(LedgerOptions(sink, settle_s=-5.0), **asked)
    try:
        ledger = asyncio.run(open_ledger(options, client))
        gaps = list(ledger.gaps())
    finally:
        client.close()
    return Read(
        ledger.partitions,
        [gap for gap in gaps if isinstance(gap, RunGap)],
        [gap for gap in gaps if isinstance(gap, NameGap)],
        ledger.totals,
        ledger.whole,
    )
