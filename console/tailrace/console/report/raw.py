"""Events as rows of the log: where each lies, and what it says of itself, one line each."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from tailrace.console.report.amounts import duration
from tailrace.console.report.columns import Cell, Column, heading, lay_out, measure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.text import Text

_COLUMNS = (
    Column("offset", widest=48),
    Column("run", widest=32),
    Column("seq", right=True),
    Column("kind"),
    Column("time", widest=32),
    Column("took", right=True, spare=1),
    Column("what"),
)
_RUN_DIGITS = 8


def raw_lines(rows: Sequence[Mapping[str, Any]], width: int | None) -> Iterator[Text]:
    """Yield a heading and a line for each row: `topic:partition:offset` first.

    With a width of None, for a pipe, ids are whole and nothing is clipped.
    """
    cells = [_cells(row, whole=width is None) for row in rows]
    widths = measure(_COLUMNS, cells, width)
    yield heading(_COLUMNS, widths)
    for row in cells:
        yield lay_out(_COLUMNS, row, widths, clipped=width is not None)


def raw_record(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row as JSON can say it: times in ISO 8601, everything else as stored."""
    return {
        name: value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
        for name, value in row.items()
    }


def _cells(row: Mapping[str, Any], *, whole: bool) -> list[Cell]:
    what = [row["step_kind"], row["step_key"] or row["name"], row["error_type"]]
    took = duration(row["duration_us"]) if row["duration_us"] is not None else ""
    return [
        Cell(f"{row['topic']}:{row['partition']}:{row['offset']}", "bold"),
        Cell(row["run_id"] if whole else row["run_id"][-_RUN_DIGITS:], "dim"),
        Cell(str(row["seq"])),
        Cell(row["kind"], "red" if row["kind"].endswith("failed") else ""),
        Cell(f"{row['ts']:%H:%M:%S.%f}" if not whole else raw_record(row)["ts"], "dim"),
        Cell(took),
        Cell(" ".join(part for part in what if part)),
    ]
