"""A member that is one command: a worker of ours, which serves as soon as it says so."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from tailrace.console.local.children import Child
from tailrace.console.local.errors import InterruptedStartError, StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tailrace.console.local.processes import ProcessId

_POLL_S = 0.05
STOP_TIMEOUT_S = 20.0


class Program:
    """A command as a `Member` of the stack."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        ready: Callable[[], bool],
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Take a command and a question that is asked until it serves; `ready` must not block.

        `variables` are added to the environment. A dependent needs its endpoints there, as
        TAILRACE_KAFKA and TAILRACE_CLICKHOUSE: `stack.json` names them only once all have started.
        """
        self._variables = variables
        self.name = name
        self.log = log.absolute()
        self._command = list(command)
        self._ready = ready
        self._child: Child | None = None
        self._cancelled = threading.Event()

    @property
    def address(self) -> str | None:
        """Nobody connects to it."""
        return None

    @property
    def process(self) -> ProcessId | None:
        """Its process."""
        return self._child.identity if self._child else None

    def start(self, timeout_s: float) -> None:
        """Start it and block until it is ready.

        Raises:
            StackError: if it is not in time, with its last words.
        """
        self.stop()
        self._cancelled.clear()
        deadline = time.monotonic() + timeout_s
        self._child = child = Child.start(self._command, self.log, variables=self._variables)
        try:
            self._await(child, deadline)
        except BaseException:
            child.stop(STOP_TIMEOUT_S)
            self._child = None
            raise

    def _await(self, child: Child, deadline: float) -> None:
        while not self._ready():
            if self._cancelled.is_set():
                raise InterruptedStartError
            if child.exit_code() is not None:
                words = child.output(3)
                raise StackError(f"{self.name} ended at once, see {self.log}: {words}")
            if time.monotonic() > deadline:
                raise StackError(f"{self.name} was not ready in time, see {self.log}")
            time.sleep(_POLL_S)

    def ended(self) -> bool:
        """Say whether it was started and has ended by itself."""
        return self._child is not None and self._child.exit_code() is not None

    def stop(self) -> str:
        """End it by SIGTERM, after 20 s by SIGKILL; also interrupts a `start`."""
        self._cancelled.set()
        child, self._child = self._child, None
        return child.stop(STOP_TIMEOUT_S) if child else "gone"
