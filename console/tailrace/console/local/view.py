"""A stack's events on a terminal: a line a member, alive while it starts; plain lines in a pipe."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from tailrace.console.local.events import STACK, Event

if TYPE_CHECKING:
    from pathlib import Path

_REFRESHES_PER_SECOND = 8
_MARKS = {
    "ready": ("●", "green"),
    "given": ("○", "cyan"),
    "died": ("●", "yellow"),
    "failed": ("✗", "red"),
    "stopped": ("○", "dim"),
}
_BUSY = ("fetching", "starting", "stopping")


@dataclass
class _Row:
    state: str
    text: str
    since: float
    done_bytes: int = 0
    total_bytes: int = 0
    took_s: float | None = None


class StackView:
    """Shows events as they come, inside its `with` block; `tell` may be called from any thread."""

    def __init__(self, folder: Path, hint: str, console: Console | None = None) -> None:
        """Take the data folder to name and the sentence to show once the stack is ready."""
        self._console = console or Console(highlight=False)
        self._folder = folder
        self._hint = hint
        self._rows: dict[str, _Row] = {}
        self._began = time.monotonic()
        self._ready_s: float | None = None
        self._lock = threading.Lock()
        self._live: Live | None = None

    def __enter__(self) -> Self:
        """Begin to draw, if this is a terminal."""
        if self._console.is_terminal:
            self._live = Live(self, console=self._console, refresh_per_second=_REFRESHES_PER_SECOND)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Draw the last state and leave it standing."""
        if self._live:
            self._live.stop()

    def tell(self, event: Event) -> None:
        """Take note of an event."""
        with self._lock:
            changed = self._note(event)
        if self._live is None and changed:
            self._console.print(_line(event, self._hint), soft_wrap=True)

    def __rich__(self) -> RenderableType:
        """Draw the whole."""
        with self._lock:
            table = Table.grid(padding=(0, 2))
            for name, row in self._rows.items():
                table.add_row(_mark(row), name, _said(row), _took(row))
            parts: list[RenderableType] = [Text(f"data in {self._folder}", style="dim")]
            if self._rows:
                parts.append(table)
            if self._ready_s is not None:
                parts.append(Text(f"ready in {self._ready_s:.1f} s · {self._hint}"))
            return Group(*parts)

    def _note(self, event: Event) -> bool:
        now = time.monotonic()
        if event.member == STACK:
            if event.state == "ready":
                self._ready_s = now - self._began
            else:
                self._ready_s = None
            return event.state in {"ready", "stopped"}
        row = self._rows.get(event.member)
        if row is None or (event.state == "starting" and row.state != "fetching"):
            row = self._rows[event.member] = _Row(event.state, event.text, now)
        changed = row.state != event.state or row.since == now
        row.state, row.text = event.state, event.text
        row.done_bytes, row.total_bytes = event.done_bytes, event.total_bytes
        row.took_s = now - row.since if event.state == "ready" else None
        return changed


def _mark(row: _Row) -> RenderableType:
    if row.state in _BUSY:
        return Spinner("dots", style="yellow")
    mark, style = _MARKS[row.state]
    return Text(mark, style=style)


def _said(row: _Row) -> RenderableType:
    if row.state == "fetching" and row.done_bytes < row.total_bytes:
        line = Table.grid(padding=(0, 1))
        done, total = row.done_bytes / 1e6, row.total_bytes / 1e6
        line.add_row(
            "fetching its jars",
            ProgressBar(total=row.total_bytes, completed=row.done_bytes, width=16),
            f"{done:.1f} of {total:.1f} MB",
        )
        return line
    # Once all bytes are there, the broker starts without another word.
    return Text(_words("starting" if row.state == "fetching" else row.state, row.text))


def _words(state: str, text: str) -> str:
    if state == "ready":
        return text or "ready"
    if state == "given":
        return f"not started: {text} names another"
    return f"{state}: {text}" if text else state


def _took(row: _Row) -> str:
    return f"{row.took_s:.1f} s" if row.took_s is not None else ""


def _line(event: Event, hint: str) -> str:
    if event.member == STACK:
        return f"ready: {hint}" if event.state == "ready" else "the stack is stopped"
    if event.state == "fetching":
        return f"{event.member}: fetching its jars, once ({event.total_bytes / 1e6:.0f} MB)"
    return f"{event.member}: {_words(event.state, event.text)}"
