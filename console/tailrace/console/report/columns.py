"""Lays rows of cells out in columns that fit a width, or in full for a pipe.

Widths are measured once and then kept, so that rows which come later line up with the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from tailrace.console.report.folding import clip
from tailrace.console.report.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

GAP = "  "
_LEAST_REST = 12
"""Cells that the last column should have before the others give way."""


@dataclass(frozen=True)
class Column:
    """One column of a table; the last one takes what the others leave."""

    title: str
    """The heading."""

    right: bool = False
    """Whether cells stand at the right, as numbers do."""

    widest: int = 24
    """Cells beyond which a cell is clipped, on a terminal."""

    spare: int = 0
    """Which columns go first where there is no room: the highest first, 0 never."""


@dataclass(frozen=True)
class Cell:
    """One cell's text, made safe when drawn, and its style."""

    text: str
    style: str = ""


def measure(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int | None
) -> tuple[int, ...]:
    """Return each column's cells: 0 for one left out, and for the last one what is left.

    A column with nothing in any row is left out. With no width to fit, nothing is clipped.
    """
    texts = [[one_line(cell.text) for cell in row] for row in rows]
    widths = [
        max([cell_len(column.title), *(cell_len(row[index]) for row in texts)])
        if not texts or any(row[index] for row in texts)
        else 0
        for index, column in enumerate(columns)
    ]
    if width is None:
        return tuple(widths)
    widths[:-1] = [min(size, column.widest) for size, column in zip(widths, columns, strict=True)][
        :-1
    ]
    by_need = sorted(range(len(columns) - 1), key=lambda index: -columns[index].spare)
    for index in by_need:
        if _rest(widths, width) >= _LEAST_REST or not columns[index].spare:
            break
        widths[index] = 0
    widths[-1] = max(_rest(widths, width), 1)
    return tuple(widths)


def heading(columns: Sequence[Column], widths: Sequence[int]) -> Text:
    """Return the line of titles."""
    return lay_out(columns, [Cell(column.title, "dim") for column in columns], widths, clipped=True)


def lay_out(
    columns: Sequence[Column], cells: Sequence[Cell], widths: Sequence[int], *, clipped: bool
) -> Text:
    """Return one row as a line; without `clipped`, a cell wider than its column stays whole."""
    line = Text()
    last = len(columns) - 1
    for index, (column, cell, size) in enumerate(zip(columns, cells, widths, strict=True)):
        if not size:
            continue
        text = one_line(cell.text)
        if clipped:
            text = clip(text, size)
        padding = " " * (size - cell_len(text))
        if line:
            line.append(GAP)
        line.append(padding if column.right else "").append(text, style=cell.style)
        line.append("" if column.right or index == last else padding)
    line.rstrip()
    return line


def _rest(widths: Sequence[int], width: int) -> int:
    taken = [size for size in widths[:-1] if size]
    return width - sum(taken) - len(GAP) * len(taken)
