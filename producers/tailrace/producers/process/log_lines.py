"""A fork comes before or after a log line of another thread, never within it.

A forked child gets the streams that handlers write to as they stand, and a stream that another
thread was writing to keeps its lock there for ever: the child's first line would hang. `logging`
frees its own locks in the child, and waits for nobody before the fork. So from when a client is
opened, a fork waits until no handler is in the middle of a line.
"""

from __future__ import annotations

import logging
import os
import threading
from functools import cache
from typing import Any

_WAIT_S = 1.0
"""How long a fork waits for one handler: a line that hangs must not hang the fork."""

_held: dict[int, list[Any]] = {}
"""The handlers' locks that a thread holds for its fork, by the thread's id."""


@cache
def keep_lines_whole() -> None:
    """Have forks of this process wait for log lines from now on."""
    os.register_at_fork(
        before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
    )


def _before() -> None:
    held = _held[threading.get_ident()] = []
    for reference in list(vars(logging)["_handlerList"]):
        lock: Any = getattr(reference(), "lock", None)
        if lock is not None and lock.acquire(timeout=_WAIT_S):
            held.append(lock)


def _after_in_parent() -> None:
    for lock in reversed(_held.pop(threading.get_ident(), [])):
        lock.release()


def _after_in_child() -> None:
    for lock in reversed(_held.pop(threading.get_ident(), [])):
        # Those of logging are free by now.
        if getattr(lock, "_is_owned", bool)():
            lock.release()
    _held.clear()
