"""Folds text to a width and a number of lines, by terminal cells, and says what it left out.

Folding looks only at the head of a text, so that a body of megabytes costs what is shown of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len, get_character_cell_size

from tailrace.console.report.printable import printable

MIN_WIDTH = 12
_EMOJI_SELECTOR = "\ufe0f"
_SHORTEST_LINE = 0.4
"""A line ends at a blank only if this much of it is filled: a very long word is cut instead."""
_CHARACTERS_PER_CELL = 4
"""Combining marks take no cells: this bounds how many characters one line may hold."""


@dataclass(frozen=True)
class Folded:
    """Lines that fit, and what did not."""

    lines: tuple[str, ...]
    """At most as many as asked for, each at most as wide as asked for, safe to print."""

    left_out: int
    """Characters of the text that the lines do not show; 0 when all is there."""


def fold(text: str, width: int, max_lines: int | None) -> Folded:
    """Wrap the text at blanks to `width` cells and `max_lines` lines; None for all of it.

    Blank lines stay only when all is shown.
    """
    width = max(width, MIN_WIDTH)
    per_line = width * _CHARACTERS_PER_CELL + 1
    head = text if max_lines is None else text[: per_line * max_lines]
    shown = printable(head)
    lines: list[str] = []
    at = 0
    while at < len(shown) and (max_lines is None or len(lines) < max_lines):
        end, following = _line_end(shown, at, width)
        line = shown[at:end].rstrip()
        if line or max_lines is None:
            lines.append(line)
        at = following
    while lines and not lines[-1]:
        lines.pop()
    rest = shown[at:].strip()
    return Folded(tuple(lines), len(rest) + len(text) - len(head) if rest else 0)


def clip(text: str, width: int) -> str:
    """Return the text cut to `width` cells, with an ellipsis where something was cut."""
    if len(text) <= width and cell_len(text) <= width:
        return text
    head = text[: _cut(text, 0, max(width - 1, 1))]
    return (head.rstrip() if cell_len(head) < width else "") + "…"


def _line_end(text: str, at: int, width: int) -> tuple[int, int]:
    """Return where the line that starts at `at` ends, and where the next one starts."""
    limit = _cut(text, at, width)
    newline = text.find("\n", at, limit + 1)
    if newline != -1:
        return newline, newline + 1
    if limit == len(text):
        return limit, limit
    blank = text.rfind(" ", at, limit + 1)
    if blank - at >= (limit - at) * _SHORTEST_LINE:
        return blank, blank + 1
    return limit, limit


def _cut(text: str, at: int, width: int) -> int:
    """Return the index after the last character that fits into `width` cells from `at`."""
    if text[at : at + width + 1].isascii():
        return min(at + width, len(text))
    cells = 0
    stop = min(len(text), at + width * _CHARACTERS_PER_CELL)
    for index in range(at, stop):
        # The selector turns the narrow sign before it into a wide one.
        cells += 1 if text[index] == _EMOJI_SELECTOR else get_character_cell_size(text[index])
        if cells > width:
            # One character at least, or a wide one in a narrow column would never be passed.
            return max(index, at + 1)
    return stop
