"""What waits for workers, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.console.report.columns import Cell, Column, heading, lay_out, measure
from tailrace.console.report.pointers import short

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.text import Text

_COLUMNS = (
    Column("deployment", widest=12),
    Column("waiting", right=True),
    Column("sent", right=True),
    Column("workers", right=True),
    Column("pointer"),
)


def request_lines(rows: Sequence[Mapping[str, Any]], room: int | None) -> list[Text]:
    """Return the table, its heading first; nothing is cut where `room` is None."""
    cells = [
        [
            Cell(short(row["deployment"])),
            Cell(f"{row['waiting']:,}"),
            Cell(f"{row['sent']:,}"),
            Cell(str(row["workers"])),
            Cell(row["pointer"] or ("retired" if not row["waiting"] else "retired, not empty")),
        ]
        for row in rows
    ]
    widths = measure(_COLUMNS, cells, room)
    lines = [lay_out(_COLUMNS, row, widths, clipped=room is not None) for row in cells]
    return [heading(_COLUMNS, widths), *lines]
