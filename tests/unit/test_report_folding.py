"""Folding fits text into cells and lines and accounts for what it leaves out."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tailrace.console.report.folding import clip, fold


def test_lines_break_at_blanks_and_the_rest_is_counted() -> None:
    folded = fold("the quick brown fox jumps over the lazy dog", 16, 2)
    assert folded.lines == ("the quick brown", "fox jumps over")
    assert folded.left_out == len("the lazy dog")


def test_a_very_long_word_is_cut() -> None:
    assert fold("x" * 30, 12, None).lines == ("x" * 12, "x" * 12, "x" * 6)


def test_wide_characters_count_two_cells() -> None:
    assert fold("日本語日本語日本語", 12, None).lines == ("日本語日本語", "日本語")


def test_blank_lines_stay_only_when_all_is_shown() -> None:
    assert fold("a\n\n\nb", 20, 2).lines == ("a", "b")
    assert fold("a\n\n\nb\n\n", 20, None).lines == ("a", "", "", "b")


def test_marks_without_width_cannot_make_an_endless_line() -> None:
    folded = fold("e" + "\u0301" * 100_000, 20, 2)
    assert max(map(len, folded.lines)) <= 80
    assert folded.left_out > 99_000


def test_a_megabyte_costs_only_what_is_shown_of_it() -> None:
    text = "word " * 400_000
    start = time.perf_counter()
    folded = fold(text, 80, 3)
    assert time.perf_counter() - start < 0.05
    assert len(folded.lines) == 3
    assert folded.left_out > 1_999_000


@given(st.text(max_size=300), st.integers(12, 60), st.integers(1, 6))
def test_folded_lines_fit_and_everything_is_shown_or_counted(
    text: str, width: int, max_lines: int
) -> None:
    folded = fold(text, width, max_lines)
    assert len(folded.lines) <= max_lines
    assert all(cell_len(line) <= width for line in folded.lines)
    assert all("\n" not in line for line in folded.lines)
    if folded.left_out == 0:
        assert "".join(folded.lines).split() == "".join(fold(text, width, None).lines).split()


@given(
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Mn", "Me", "Cf"])), st.integers(2, 40)
)
def test_clipped_text_fits(text: str, width: int) -> None:
    assert cell_len(clip(text, width)) <= width
