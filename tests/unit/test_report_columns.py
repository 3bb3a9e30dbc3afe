"""Rows line up in columns that fit a terminal, and stand whole in a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.console.report.columns import Cell, Column, heading, lay_out, measure

if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS = (
    Column("id"),
    Column("component", widest=9),
    Column("cost", right=True, spare=2),
    Column("steps", right=True, spare=1),
    Column("input"),
)
ROWS = (
    ("0a1b2c3d", "support", "$0.0012", "6", "Where is my parcel?\nIt is late."),
    ("0a1b2c3e", "support-desk", "", "120", "Hello"),
)


def table(rows: Sequence[Sequence[str]], width: int | None) -> str:
    cells = [[Cell(text) for text in row] for row in rows]
    widths = measure(COLUMNS, cells, width)
    lines = [heading(COLUMNS, widths)]
    lines += [lay_out(COLUMNS, row, widths, clipped=width is not None) for row in cells]
    return "\n".join(line.plain for line in lines)


def test_cells_are_clipped_to_a_terminal() -> None:
    assert table(ROWS, 56) == (
        "id        component     cost  steps  input\n"
        "0a1b2c3d  support    $0.0012      6  Where is my parcel…\n"
        "0a1b2c3e  support-…             120  Hello"
    )


def test_columns_give_way_where_there_is_no_room() -> None:
    assert table(ROWS, 42) == (
        "id        component  steps  input\n"
        "0a1b2c3d  support        6  Where is my p…\n"
        "0a1b2c3e  support-…    120  Hello"
    )


def test_nothing_is_clipped_in_a_pipe() -> None:
    assert table(ROWS, None) == (
        "id        component        cost  steps  input\n"
        "0a1b2c3d  support       $0.0012      6  Where is my parcel? It is late.\n"
        "0a1b2c3e  support-desk             120  Hello"
    )


def test_a_column_with_nothing_in_it_is_left_out() -> None:
    assert (
        table([("0a", "b", "", "1", "x")], 80)
        == "id  component  steps  input\n0a  b              1  x"
    )


def test_no_rows_leave_the_headings() -> None:
    assert table([], 80) == "id  component  cost  steps  input"


@given(
    st.lists(st.lists(st.text(max_size=60), min_size=5, max_size=5), max_size=5),
    st.integers(60, 140),
)
def test_no_line_is_wider_than_the_terminal(rows: list[list[str]], width: int) -> None:
    cells = [[Cell(text) for text in row] for row in rows]
    widths = measure(COLUMNS, cells, width)
    for row in cells:
        assert lay_out(COLUMNS, row, widths, clipped=True).cell_len <= width


@pytest.mark.parametrize("late", ["x" * 100, "\x1b[31m" * 20])
def test_a_later_row_keeps_to_the_measured_widths(late: str) -> None:
    cells = [[Cell(text) for text in row] for row in ROWS]
    widths = measure(COLUMNS, cells, 60)
    assert lay_out(COLUMNS, [Cell(late)] * 5, widths, clipped=True).cell_len <= 60
