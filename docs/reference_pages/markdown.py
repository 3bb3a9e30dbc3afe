"""The few forms that the reference pages are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NOTE = "<!-- Made from the code by `make docs`: changes here are lost. -->"


def page(title: str, *parts: str) -> str:
    """Return a whole page: a title, a note on where it comes from, its parts."""
    return "\n\n".join([f"# {title}", NOTE, *(part for part in parts if part)]) + "\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table, or nothing if it has no rows."""
    lines = [_row(row) for row in rows]
    return "\n".join([_row(heads), _row(["---"] * len(heads)), *lines]) if lines else ""


def code(text: str) -> str:
    """Return text as code within a line, or nothing for nothing."""
    return f"`{text}`" if text else ""


def sentence(text: str) -> str:
    """Return the text with its line breaks gone, for a line that wraps by itself."""
    return " ".join(text.split())


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(sentence(cell).replace("|", "\\|") for cell in cells) + " |"
