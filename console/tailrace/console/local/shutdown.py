"""Ends a stack from outside: its supervisor by pid, and whatever a killed supervisor left."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

from tailrace.console.local.errors import StackError
from tailrace.console.local.processes import is_alive, stop_process
from tailrace.console.local.record import StackRecord, read_record

if TYPE_CHECKING:
    from tailrace.console.local.folder import DataFolder

_STOP_TIMEOUT_S = 60.0
_RECORD_TIMEOUT_S = 5.0
_MEMBER_TIMEOUT_S = 15.0
_POLL_S = 0.05


def stop_stack(folder: DataFolder) -> str:
    """End the stack on a folder; blocks until it is gone. Safe to call on one that does not run.

    Returns `stopped`, `killed` (the supervisor did not end within 60 s), `cleaned` (it was gone
    already, but had left servers or its record behind) or `gone` (nothing ran).

    Raises:
        StackError: if a supervisor runs but cannot be found.
    """
    if folder.is_running():
        return _end_supervisor(folder)
    record = read_record(folder.record)
    if record is None:
        folder.record.unlink(missing_ok=True)
        return "gone"
    _end_members(record)
    folder.record.unlink(missing_ok=True)
    return "cleaned"


def _end_supervisor(folder: DataFolder) -> str:
    record = _record_of(folder)
    supervisor = record.processes["supervisor"]
    if is_alive(supervisor):
        os.kill(supervisor.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_TIMEOUT_S
    # The lock is free a little before its holder is gone, and a caller may count on both.
    while folder.is_running() or is_alive(supervisor):
        if time.monotonic() > deadline:
            stop_process(supervisor, 0)
            _end_members(read_record(folder.record) or record)
            folder.record.unlink(missing_ok=True)
            return "killed"
        time.sleep(_POLL_S)
    return "stopped"


def _record_of(folder: DataFolder) -> StackRecord:
    deadline = time.monotonic() + _RECORD_TIMEOUT_S
    while True:
        record = read_record(folder.record)
        if record and "supervisor" in record.processes and is_alive(record.processes["supervisor"]):
            return record
        if time.monotonic() > deadline:
            raise StackError(
                f"a stack holds {folder.lock_file}, but {folder.record} does not name its "
                "process: end the process that holds the lock, then run this again"
            )
        time.sleep(_POLL_S)


def _end_members(record: StackRecord) -> None:
    for name, process in record.processes.items():
        if name != "supervisor":
            stop_process(process, _MEMBER_TIMEOUT_S)
