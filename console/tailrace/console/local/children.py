"""A server process of ours: started on a leash, its output in a file, ended by its own pid."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tailrace.console.local import leash
from tailrace.console.local.errors import StackError
from tailrace.console.local.processes import ProcessId, identify, signal_process, stop_process

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LEASH_S = 5.0
_LOG_LIMIT_BYTES = 8 << 20
_TAIL_BYTES = 16 << 10


class Child:
    """A running command; it dies with this process, also when that is killed."""

    def __init__(
        self, process: subprocess.Popen[bytes], identity: ProcessId, log: Path, offset: int
    ) -> None:
        self._process = process
        self._offset = offset
        self.identity = identity
        self.log = log

    @classmethod
    def start(
        cls,
        command: Sequence[str],
        log: Path,
        *,
        nice: int = 0,
        grace_s: float = 20.0,
        variables: Mapping[str, str] | None = None,
    ) -> Self:
        """Start a command in a session of its own; its output is appended to `log`.

        A log above 8 MiB is first moved to `LOG.1`. If this process dies, the command has `grace_s`
        to end by itself. `variables` are added to this process's environment.

        Raises:
            StackError: if the command cannot be run.
        """
        _rotate(log)
        with log.open("ab") as output:
            offset = output.tell()
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", leash.__file__, str(nice), str(grace_s), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                start_new_session=True,
                env={**os.environ, **(variables or {})},
            )
        assert process.stdout is not None
        with process.stdout as answer:
            line = answer.readline()
        if not line.strip():
            _close(process)
            last = tail(log, 1) or "it ended at once"
            raise StackError(f"{Path(command[0]).name} could not be started: {last}; see {log}")
        pid = int(line)
        # What has ended by now is known by its exit code; no process has that start time.
        return cls(process, identify(pid) or ProcessId(pid, ""), log, offset)

    @property
    def pid(self) -> int:
        """The pid of the command itself, not of its leash."""
        return self.identity.pid

    def exit_code(self) -> int | None:
        """Return how it ended, 128 + the signal if by one; None while it runs."""
        code = self._process.poll()
        return code if code is None or code >= 0 else 128 - code

    def wait(self) -> int:
        """Block until it ends."""
        return self._process.wait()

    def output(self, lines: int) -> str:
        """Return the last lines that this very command wrote, at most."""
        return tail(self.log, lines, self._offset)

    def request_end(self) -> None:
        """Send it SIGTERM and return at once."""
        signal_process(self.identity, signal.SIGTERM)

    def stop(self, timeout_s: float) -> str:
        """End it by SIGTERM, after `timeout_s` by SIGKILL; `gone`, `stopped` or `killed`."""
        how = stop_process(self.identity, timeout_s)
        if how == "killed" and self._process.returncode is None:
            # What it had started itself, in the session that the leash leads, does not outlive it.
            # The leash was not waited for yet, so nobody else can have its number.
            os.killpg(self._process.pid, signal.SIGKILL)
        _close(self._process)
        return how


def tail(log: Path, lines: int, offset: int = 0) -> str:
    """Return the last non-empty lines of a log from `offset` on; empty if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(offset, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])


def _close(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(_LEASH_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_LEASH_S)


def _rotate(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
        log.replace(log.with_name(log.name + ".1"))
