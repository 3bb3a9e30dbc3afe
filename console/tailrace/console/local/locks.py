"""A lock that the kernel drops when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING, Self

from tailrace.console.local.errors import StackError

if TYPE_CHECKING:
    from pathlib import Path

_RETRY_S = 0.05


class FolderLock:
    """An exclusive `flock` on a file; held until `release`, the `with` block's end, or death.

    The file itself stays: removing it would let two processes lock two files of one name.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def try_acquire(self) -> bool:
        """Take the lock if it is free; never blocks.

        Raises:
            StackError: if the file cannot be opened.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StackError(
                f"{self._path} cannot be opened ({error.strerror}): "
                "check that you may write to this folder"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def acquire(self, timeout_s: float) -> None:
        """Take the lock, waiting for its holder at most `timeout_s`.

        Raises:
            StackError: if it is still held then.
        """
        deadline = time.monotonic() + timeout_s
        while not self.try_acquire():
            if time.monotonic() > deadline:
                raise StackError(
                    f"another process has held {self._path} for {timeout_s:.0f} s: "
                    "wait for it to finish, or end it"
                )
            time.sleep(_RETRY_S)

    def release(self) -> None:
        """Give the lock back; does nothing if it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        """Hand on the lock, which is already held."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the lock back."""
        self.release()


def is_held(path: Path) -> bool:
    """Say whether some process holds the lock at `path` now; never blocks."""
    if not path.exists():
        return False
    lock = FolderLock(path)
    free = lock.try_acquire()
    lock.release()
    return not free
