"""The ledger as tables for people and as records for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.console.report.amounts import plural
from tailrace.console.report.columns import Cell, Column, heading, lay_out, measure
from tailrace.console.report.facts import SHORT_ID
from tailrace.sinks.gaps.accounts import RunGap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.text import Text

    from tailrace.sinks.gaps.accounts import NameGap, PartitionAccount, RunTotals
    from tailrace.sinks.gaps.ranges import Missing

_SHOWN = 3
"""Ranges that are shown in a line; more are counted."""

_PARTITIONS = (
    Column("partition", widest=28),
    Column("records", right=True),
    Column("stored", right=True),
    Column("repeats", right=True, spare=3),
    Column("skipped", right=True, spare=2),
    Column("dead", right=True, spare=1),
    Column("waiting", right=True),
    Column("missing"),
)


def partition_lines(accounts: Sequence[PartitionAccount], width: int | None) -> Iterator[Text]:
    """Yield the partitions' table, a partition with nothing in it left out."""
    rows = [_partition(account) for account in accounts if account.records or account.waiting]
    widths = measure(_PARTITIONS, rows, width)
    yield heading(_PARTITIONS, widths)
    for row in rows:
        yield lay_out(_PARTITIONS, row, widths, clipped=width is not None)


def _partition(account: PartitionAccount) -> list[Cell]:
    counts = (account.stored, account.replaced, account.skipped, account.dead, account.waiting)
    gap = f"{account.missing.count:,}: {ranges_text(account.missing)}"
    return [
        Cell(f"{account.topic}-{account.partition}"),
        Cell(f"{account.records:,}"),
        *(Cell(f"{count:,}" if count else "") for count in counts),
        Cell(gap, "red") if account.missing.count else Cell(""),
    ]


def ranges_text(missing: Missing) -> str:
    """Return `3-4, 7` or, of many ranges, the first ones and how many there are."""
    shown = [
        str(found.first) if found.first == found.last else str(found)
        for found in missing.ranges[:_SHOWN]
    ]
    more = len(missing.ranges) > _SHOWN or not missing.whole
    return ", ".join(shown) + (", …" if more else "")


def gap_line(gap: RunGap | NameGap) -> str:
    """Return one gap of a run in a line that fits 80 cells."""
    run = f"run {gap.run_id[:SHORT_ID]} of trace {gap.trace_id[:SHORT_ID]}"
    if isinstance(gap, RunGap):
        kind = "" if gap.ended else ", not ended"
        return f"{run}: {gap.stored} of {gap.expected} events{kind}, not {ranges_text(gap.seqs)}"
    if gap.what == "body":
        return f"{run}: no body {gap.named[:SHORT_ID]}"
    return f"{run}: its {gap.what} run {gap.named[:SHORT_ID]} is not stored"


def total_lines(accounts: Sequence[PartitionAccount], totals: RunTotals) -> Iterator[str]:
    """Yield what all of it comes to, in sentences."""
    lost = sum(account.missing.count for account in accounts)
    waiting = sum(account.waiting for account in accounts)
    yield (
        f"log: {plural(sum(account.records for account in accounts), 'record')}, "
        f"{lost:,} missing, {waiting:,} waiting for the sink"
    )
    yield (
        f"runs: {plural(totals.runs, 'run')} ({totals.open:,} open), {totals.expected:,} events "
        f"expected, {totals.missing:,} missing"
    )
    if totals.runs_missing or totals.bodies_missing:
        yield (
            f"named and not stored: {plural(totals.runs_missing, 'run')}, "
            f"{totals.bodies_missing:,} times a body"
        )
    yield from _asides(accounts, totals)


def _asides(accounts: Sequence[PartitionAccount], totals: RunTotals) -> Iterator[str]:
    deleted = sum(account.log_begin for account in accounts)
    if deleted:
        yield f"below the log's beginning, so not compared: {plural(deleted, 'offset')}"
    forgotten = sum(account.forgotten for account in accounts)
    if forgotten:
        yield f"erased on purpose: {plural(forgotten, 'record')} of forgotten traces"
    surplus = sum(account.surplus for account in accounts)
    if surplus:
        yield f"stored without a record in the log: {plural(surplus, 'row')}"
    if totals.unclaimed:
        yield f"offers that no stored run claims: {totals.unclaimed:,}"
    if totals.young:
        yield f"too young to judge: {plural(totals.young, 'finding')}; look again in a while"


def partition_record(account: PartitionAccount) -> dict[str, Any]:
    """Return a partition's account for `--json`."""
    return {"account": "partition", **vars(account), "missing": _missing_record(account.missing)}


def gap_record(gap: RunGap | NameGap) -> dict[str, Any]:
    """Return a gap for `--json`."""
    if isinstance(gap, RunGap):
        began = gap.began_at.isoformat()
        return {
            "account": "run",
            **vars(gap),
            "began_at": began,
            "seqs": _missing_record(gap.seqs),
        }
    return {"account": "named", **vars(gap)}


def total_record(totals: RunTotals, *, whole: bool) -> dict[str, Any]:
    """Return the totals for `--json`."""
    return {"account": "total", **vars(totals), "whole": whole}


def _missing_record(missing: Missing) -> dict[str, Any]:
    ranges = [[found.first, found.last] for found in missing.ranges]
    return {"count": missing.count, "ranges": ranges, "all_ranges": missing.whole}
