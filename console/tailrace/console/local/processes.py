"""A process known by pid and start time, so that a pid used again is never taken for it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

_POLL_S = 0.02
_KILL_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class ProcessId:
    """Which process, for as long as the machine runs."""

    pid: int
    started: str
    """The kernel's start time of it, opaque; with the pid it is unique until the next boot."""


def identify(pid: int) -> ProcessId | None:
    """Return the identity of a process; None if there is none or it has ended (also a zombie)."""
    started = _started_on_linux(pid) if Path("/proc/self/stat").exists() else _started_by_ps(pid)
    return ProcessId(pid, started) if started else None


def is_alive(process: ProcessId) -> bool:
    """Say whether that very process still runs."""
    return identify(process.pid) == process


def stop_process(process: ProcessId, timeout_s: float) -> str:
    """End a process by SIGTERM, after `timeout_s` by SIGKILL; return `gone`, `stopped` or `killed`.

    Blocks until it is gone, at most `timeout_s` and five seconds more.
    """
    if not signal_process(process, signal.SIGTERM):
        return "gone"
    if wait_gone(process, timeout_s):
        return "stopped"
    signal_process(process, signal.SIGKILL)
    wait_gone(process, _KILL_TIMEOUT_S)
    return "killed"


def wait_gone(process: ProcessId, timeout_s: float) -> bool:
    """Wait until a process is gone, also one that is not our child; False if it still runs then."""
    deadline = time.monotonic() + timeout_s
    while is_alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def signal_process(process: ProcessId, number: signal.Signals) -> bool:
    """Send a signal to exactly this process; False if it is gone."""
    if not is_alive(process):
        return False
    try:
        os.kill(process.pid, number)
    except ProcessLookupError:
        return False
    return True


def _started_on_linux(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # after the name, which may hold anything
    state, started = fields[0], fields[19]
    return None if state in "ZX" else f"{boot[:8]}:{started}"


def _started_by_ps(pid: int) -> str | None:
    answer = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        timeout=_KILL_TIMEOUT_S,
        check=False,
    )
    state, _, started = answer.stdout.strip().partition(" ")
    return started.strip() if started and not state.startswith("Z") else None
