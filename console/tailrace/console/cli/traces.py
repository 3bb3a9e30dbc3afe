"""What the `traces` commands share: which executions are meant, and the screen to show them on."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from tailrace.sinks.queries.list_traces import OUTCOMES, STATUSES

if TYPE_CHECKING:
    from rich.text import Text

NARROWEST = 40
"""Cells that a table or a tree needs; a narrower terminal wraps."""

_AGO = re.compile(r"(\d{1,9})\s*([smhdw])")
_UNIT = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


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


def _moment_before_now(text: str) -> datetime:
    return moment(text, datetime.now(UTC))


def _status(text: str | None) -> str | None:
    return _one_of(STATUSES, text)


def _outcome(text: str | None) -> str | None:
    return _one_of(OUTCOMES, text)


def _one_of(words: tuple[str, ...], text: str | None) -> str | None:
    if text is not None and text not in words:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(words)}")
    return text


ComponentOption = Annotated[
    str | None, typer.Option("--component", "-c", help="Executions of this component.")
]
StatusOption = Annotated[
    str | None,
    typer.Option(
        callback=_status,
        metavar="|".join(STATUSES),
        help="Open: not every run has ended. Ended: all have, and something is not stored yet. "
        "Complete: all is stored. Abandoned: without a sign of life for too long.",
    ),
]
OutcomeOption = Annotated[
    str | None,
    typer.Option(callback=_outcome, metavar="|".join(OUTCOMES), help="How the root run ended."),
]
SinceOption = Annotated[
    datetime | None,
    typer.Option(
        parser=_moment_before_now,
        metavar="TIME",
        help="Begun at or after: 10m, 2h, 3d ago, or an ISO time.",
    ),
]
SessionOption = Annotated[str | None, typer.Option(help="Executions of this session.")]
TagOption = Annotated[str | None, typer.Option(help="Executions with this tag.")]
EnvironmentOption = Annotated[
    str | None, typer.Option("--environment", "-e", help="Executions of this environment.")
]
TextOption = Annotated[
    str | None,
    typer.Option(help="Executions with this text in an input, output or error, in any case."),
]


class Screen:
    """Standard output: coloured lines on a terminal, plain text anywhere else."""

    def __init__(self, width: int | None = None) -> None:
        reconfigure = getattr(sys.stdout, "reconfigure", None)
        if reconfigure is not None:
            # A sign that the terminal's encoding lacks becomes `?`, never an error.
            reconfigure(errors="replace")
        self._console = Console(highlight=False, markup=False, emoji=False, width=width)
        self._told = width is not None

    @property
    def is_terminal(self) -> bool:
        """Whether somebody is looking."""
        return self._console.is_terminal

    @property
    def width(self) -> int:
        """Cells in a line; 80 where there is no terminal."""
        return max(self._console.width, NARROWEST)

    @property
    def room(self) -> int | None:
        """Cells that a table has to fit; None in a pipe, unless a width was told."""
        return self.width if self.is_terminal or self._told else None

    def line(self, text: Text) -> None:
        """Print one line, never wrapped. Nothing in it is interpreted as markup."""
        self._console.print(text, soft_wrap=True)

    def plain(self, text: str) -> None:
        """Print one line as it is."""
        sys.stdout.write(f"{text}\n")

    def flush(self) -> None:
        """Hand everything on to whoever reads."""
        sys.stdout.flush()

    def aside(self, text: str) -> None:
        """Say something about the work, on standard error."""
        sys.stderr.write(f"{text}\n")
