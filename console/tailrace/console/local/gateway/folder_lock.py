"""One gateway a folder: a lock that the system takes back however the process ends."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from tailrace.console.local.gateway.errors import EngineUnavailableError

if TYPE_CHECKING:
    from pathlib import Path


def lock_folder(folder: Path) -> int:
    """Lock the folder for the life of this process and return the lock's descriptor.

    Raises EngineUnavailableError if another process has it, be it a gateway or the bare engine.
    """
    for name in ("status", "gateway.lock"):  # the first is the engine's own lock file
        lock = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as raised:
            os.close(lock)
            raise EngineUnavailableError(
                f"another process already uses {folder}: the embedded ClickHouse belongs to one "
                "process at a time; use that one's address (`tailrace status` shows it), or "
                "choose another folder"
            ) from raised
        if name == "status":
            os.close(lock)  # the engine takes it itself
    return lock
