"""What a running archive sink says about itself: one line for eyes, one for logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from tailrace.console.report.amounts import duration, plural

if TYPE_CHECKING:
    from datetime import datetime

    from tailrace.sinks.sink import SinkStats

_MICROS = 1_000_000
_LAGGING = 10_000
"""Offsets of lag from which the figure is coloured."""


def status_line(stats: SinkStats, rows_per_s: float, running_s: float) -> Text:
    """Return the live line: rate, total, lag and what went wrong so far."""
    if not stats.partitions:
        line = Text.assemble(("◌ ", "yellow"), "waiting for partitions")
    else:
        line = Text.assemble(("▸ ", "green"), f"{rows_per_s:,.0f} rows/s")
    line.append(f"  {stats.rows:,} rows stored")
    line.append(f"  lag {stats.lag:,}", "yellow" if stats.lag > _LAGGING else "")
    if stats.partitions:
        line.append(f"  {plural(stats.partitions, 'partition')}", "dim")
    if stats.dead_letters:
        line.append(f"  {plural(stats.dead_letters, 'dead letter')}", "bold red")
    if stats.retries:
        line.append(f"  {plural(stats.retries, 'retry')}", "yellow")
    if stats.waiting_for_schemas:
        line.append(f"  {stats.waiting_for_schemas} waiting for a schema", "yellow")
    return line.append(f"  {duration(int(running_s * _MICROS))}", "dim")


def log_fields(stats: SinkStats, rows_per_s: float) -> dict[str, int]:
    """Return the counts that a log tells, by name."""
    return {
        "rows": stats.rows,
        "rows_per_s": round(rows_per_s),
        "lag": stats.lag,
        "partitions": stats.partitions,
        "dead_letters": stats.dead_letters,
        "retries": stats.retries,
        "waiting_for_schemas": stats.waiting_for_schemas,
    }


def log_line(stats: SinkStats, rows_per_s: float, now: datetime) -> str:
    """Return the line for a log: a time and `name=value` pairs."""
    pairs = log_fields(stats, rows_per_s)
    told = " ".join(f"{name}={value}" for name, value in pairs.items())
    return f"{now:%Y-%m-%dT%H:%M:%SZ} sink {told}"
