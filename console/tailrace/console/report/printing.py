"""Prints lines of a table: cut to the terminal's width, whole where the output is a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.text import Text


def print_lines(lines_for: Callable[[int | None], Sequence[Text]]) -> None:
    """Print what `lines_for` makes of the width, None where nothing is to be cut."""
    console = Console(highlight=False, markup=False, emoji=False)
    for line in lines_for(console.width if console.is_terminal else None):
        console.print(line, soft_wrap=True)
