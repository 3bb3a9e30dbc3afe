"""What a running stream worker says about itself in a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from tailrace.streams.options import StreamStats


def log_fields(stats: StreamStats) -> dict[str, int]:
    """Return the counts that a log tells, by name."""
    return {
        "events": stats.events,
        "traces": stats.traces,
        "abandoned": stats.abandoned,
        "open": stats.open_executions,
        "partitions": stats.partitions,
        "dead_letters": stats.dead_letters,
    }


def log_line(stats: StreamStats, now: datetime) -> str:
    """Return the line for a log: a time and `name=value` pairs."""
    told = " ".join(f"{name}={value}" for name, value in log_fields(stats).items())
    line = f"{now:%Y-%m-%dT%H:%M:%SZ} stream {told}"
    return f"{line} last dead letter: {stats.last_dead_letter}" if stats.dead_letters else line
