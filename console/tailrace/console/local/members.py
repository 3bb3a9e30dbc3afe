"""What a server of the local stack is, to whoever starts and supervises it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.console.local.processes import ProcessId


@dataclass(frozen=True)
class Endpoints:
    """Where the two servers are: the stack's own, or those that were given."""

    kafka: str
    """Bootstrap servers."""
    clickhouse: str
    """HTTP address."""


class Member(Protocol):
    """One server of the stack. Only `stop` may be called while another thread is in `start`."""

    name: str
    """One lower-case word: the key in `stack.json`, and the name that people read."""
    log: Path
    """The file with its output."""

    @property
    def address(self) -> str | None:
        """Where clients find it; None for a member that nobody connects to, or before `start`."""
        ...

    @property
    def process(self) -> ProcessId | None:
        """Its process while it is started; None before `start` and after `stop`."""
        ...

    def start(self, timeout_s: float) -> None:
        """Start it and block until it serves; called again after it ended by itself.

        Raises:
            StackError: if it does not within `timeout_s`, or `stop` was called; nothing of it runs
                then.
        """
        ...

    def ended(self) -> bool:
        """Say whether it was started and has ended by itself; never blocks."""
        ...

    def stop(self) -> str:
        """End it, blocking until it is gone; `gone`, `stopped` or `killed`. Repeatable."""
        ...


@dataclass(frozen=True)
class Step:
    """Something to do once both servers serve, before the stack counts as running."""

    name: str
    """One lower-case word that people read: `topics`, `tables`."""
    run: Callable[[Endpoints], None]
    """Does it; safe to run twice, bounded in time; a `TailraceError` stops the start."""


Dependent = Callable[[Endpoints], Member]
"""Makes a member that is started after the steps and stopped before the servers."""
