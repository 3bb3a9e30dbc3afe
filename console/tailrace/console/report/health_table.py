"""How deployments are doing, as a table that can be left open."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from tailrace.console.report.amounts import UNKNOWN, cost, count, duration
from tailrace.console.report.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tailrace.sinks.queries.health_by_deployment import DeploymentHealth

_BARS = "▁▂▃▄▅▆▇█"
_WARNS, _ALARMS = 0.01, 0.05
"""Shares of bad executions from which the figure is coloured."""

_DIGITS = 12
_FIGURES = ("started", "ok", "bad", "gone", "cancelled", "p50", "p95", "p99", "tokens", "cost")

WIDE = 120
"""Cells in which every figure has room."""

LONGEST_TREND = 30
"""So many of the newest minutes get a bar."""


def health_table(
    rows: Sequence[DeploymentHealth], now: datetime, minutes: int, width: int = WIDE
) -> Table:
    """Return the table; the busiest deployment stands first.

    Args:
        rows: the deployments.
        now: which minute is the newest.
        minutes: how many there are.
        width: cells in a line; below `WIDE` the lesser figures are left out.
    """
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("component", no_wrap=True)
    table.add_column("env", no_wrap=True)
    table.add_column("deployment", style="dim", no_wrap=True)
    bars = min(minutes, LONGEST_TREND)
    lesser = ("cancelled", "p99", "tokens", "cost", f"{bars} min") if width < WIDE else ()
    names = [name for name in (*_FIGURES, f"{bars} min") if name not in lesser]
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        figures = {**_figures(row), f"{bars} min": Text(trend(row, now, bars), style="cyan")}
        table.add_row(
            Text(one_line(row.component), style="bold"),
            one_line(row.environment),
            one_line(row.deployment)[:_DIGITS] + (" ≠" if row.code_mismatches else ""),
            *(figures[name] for name in names),
        )
    return table


def _figures(row: DeploymentHealth) -> dict[str, str | Text]:
    tokens = (row.input_tokens or 0) + (row.output_tokens or 0)
    told = row.input_tokens is not None or row.output_tokens is not None
    return {
        "started": count(row.started),
        "ok": count(row.completed),
        "bad": _bad(row),
        "gone": Text(count(row.abandoned), style="magenta" if row.abandoned else "dim"),
        "cancelled": count(row.cancelled),
        "p50": duration(row.quantile_us(0.5)),
        "p95": duration(row.quantile_us(0.95)),
        "p99": duration(row.quantile_us(0.99)),
        "tokens": count(tokens) if told else UNKNOWN,
        "cost": cost(row.cost_usd),
    }


def trend(row: DeploymentHealth, now: datetime, minutes: int) -> str:
    """Return a bar for each minute, by the executions that began in it, the newest last."""
    newest = now.replace(second=0, microsecond=0)
    counts = [
        row.started_by_minute.get(newest - timedelta(minutes=ago), 0)
        for ago in reversed(range(minutes))
    ]
    most = max(counts, default=0)
    return "".join(_BARS[round(each / most * (len(_BARS) - 1))] if each else " " for each in counts)


def health_record(row: DeploymentHealth) -> dict[str, Any]:
    """Return the row as JSON can say it."""
    names = (
        *("environment", "component", "deployment", "started", "completed", "failed", "cancelled"),
        *("abandoned", "step_errors", "code_mismatches", "input_tokens", "output_tokens"),
        "cost_usd",
    )
    record = {name: getattr(row, name) for name in names}
    quantiles = {f"p{share}_us": row.quantile_us(share / 100) for share in (50, 95, 99)}
    return {**record, **quantiles, "bad_share": row.bad_share}


def _bad(row: DeploymentHealth) -> Text:
    share = row.bad_share
    if not row.failed or share is None:
        return Text(count(row.failed), style="dim")
    style = "bold red" if share >= _ALARMS else "yellow" if share >= _WARNS else ""
    return Text(f"{count(row.failed)} {row.failed / row.closed:.1%}", style=style)
