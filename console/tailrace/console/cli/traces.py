"""What the `traces` commands share: the screen they print to, and how people say a time."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import typer
from rich.console import Console

if TYPE_CHECKING:
    from rich.text import Text

_AGO = re.compile(r"(\d{1,9})\s*([smhdw])")
_UNIT = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
NARROWEST = 40
"""Cells that a table or a tree needs; a narrower terminal wraps."""


class Screen:
    """Standard output: coloured lines on a terminal, plain text anywhere else."""

    def __init__(self, width: int | None = None) -> None:
        reconfigure = getattr(sys.stdout, "reconfigure", None)
        if reconfigure is not None:
            # A sign that the terminal's encoding lacks becomes `?`, never an error.
            reconfigure(errors="replace")
        self._console = Console(highlight=False, markup=False, emoji=False, width=width)

    @property
    def is_terminal(self) -> bool:
        """Whether somebody is looking."""
        return self._console.is_terminal

    @property
    def width(self) -> int:
        """Cells in a line; 80 where there is no terminal."""
        return max(self._console.width, NARROWEST)

    def line(self, text: Text | str) -> None:
        """Print one line, never wrapped. Nothing in it is interpreted as markup."""
        self._console.print(text, soft_wrap=True)

    def plain(self, text: str) -> None:
        """Print one line as it is."""
        sys.stdout.write(f"{text}\n")

    def flush(self) -> None:
        """Hand everything on to whoever reads."""
        sys.stdout.flush()


def moment(text: str, now: datetime) -> datetime:
    """Return the time that people mean by `10m`, `2h`, `3d`, `1w` or an ISO date or time, UTC.

    A time without a zone is local.

    Raises:
        typer.BadParameter: if it is none of these, or lies out of the calendar.
    """
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago:
            return now - timedelta(**{_UNIT[ago[2]]: int(ago[1])})
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise typer.BadParameter(
            f"{text!r} is no time: say 30s, 10m, 2h, 3d, 1w, or 2026-11-22 or 2026-11-22T14:00"
        ) from None
