"""What a server of the local stack is, to whoever starts and supervises it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.console.local.processes import ProcessId


class Member(Protocol):
    """One server of the stack. Calls come from one thread at a time."""

    name: str
    """One lower-case word: the key in `stack.json`, and the name that people read."""

    @property
    def address(self) -> str | None:
        """Where clients find it; None for a member that nobody connects to, or before `start`."""
        ...

    @property
    def log(self) -> Path:
        """The file with its output."""
        ...

    @property
    def process(self) -> ProcessId | None:
        """Its process while it is started; None before `start` and after `stop`."""
        ...

    def start(self, timeout_s: float) -> None:
        """Start it and block until it serves.

        Raises:
            StackError: if it does not within `timeout_s`; nothing of it runs then.
        """
        ...

    def ended(self) -> bool:
        """Say whether it was started and has ended by itself; never blocks."""
        ...

    def stop(self) -> str:
        """End it, blocking until it is gone; `gone`, `stopped` or `killed`. Repeatable."""
        ...
