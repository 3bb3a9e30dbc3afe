"""`tailrace topics ls`: the declared topics, and what they are on the broker."""

from __future__ import annotations

import asyncio
import json as json_format
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from tailrace.console.report.columns import Cell, Column, heading, lay_out, measure
from tailrace.schemas.topic_admin import list_topics
from tailrace.schemas.topic_settings import STANDING_TOPICS

if TYPE_CHECKING:
    from rich.text import Text

COLUMNS = (
    Column("topic", widest=60),
    Column("partitions"),
    Column("copies", spare=2),
    Column("retention"),
    Column("key", spare=1),
    Column("holds"),
)
_DAY_MS = 24 * 3600 * 1000


def command(
    *, json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False
) -> None:
    """List the topics: partitions, copies, retention, and what lies in each."""
    there = asyncio.run(list_topics())
    rows: list[dict[str, Any]] = []
    for topic in STANDING_TOPICS:
        state = there.get(topic.name())
        rows.append(
            {
                "topic": topic.name(),
                "exists": state is not None,
                "partitions": state.partitions if state else None,
                "replication": state.replication if state else None,
                "retention": _retention(state.configs) if state else "",
                "key": topic.key,
                "holds": topic.doc,
            }
        )
    if json:
        sys.stdout.writelines(json_format.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    else:
        _show(rows)


def _retention(configs: Any) -> str:
    if "compact" in configs["cleanup.policy"]:
        return "compacted"
    retention_ms = int(configs["retention.ms"])
    if retention_ms < 0:
        return "for ever"
    days, rest_ms = divmod(retention_ms, _DAY_MS)
    return f"{days} days" if days and not rest_ms else f"{retention_ms / 1000:g} s"


def _show(rows: list[dict[str, Any]]) -> None:
    console = Console(highlight=False, markup=False, emoji=False)
    cells = [[Cell(text) for text in _texts(row)] for row in rows]
    widths = measure(COLUMNS, cells, console.width if console.is_terminal else None)
    for line in (heading(COLUMNS, widths), *(_line(row, widths) for row in cells)):
        console.print(line, soft_wrap=True)
    if not all(row["exists"] for row in rows):
        sys.stderr.write("some topics are missing: create them with `tailrace topics apply`\n")


def _texts(row: dict[str, Any]) -> tuple[str, ...]:
    there = (str(row["partitions"]), str(row["replication"]), row["retention"])
    return (
        row["topic"],
        *(there if row["exists"] else ("missing", "", "")),
        row["key"],
        row["holds"],
    )


def _line(cells: list[Cell], widths: tuple[int, ...]) -> Text:
    return lay_out(COLUMNS, cells, widths, clipped=True)
