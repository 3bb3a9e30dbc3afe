"""Modules that are imported when they are first needed, and never in the middle of a fork.

A forked child keeps a module that another thread was importing as it stood, half made, and keeps
its lock held: whoever imports it there waits for ever. So a fork waits until such an import of
ours is done. What the agent itself imports in its threads is not seen here.
"""

from __future__ import annotations

import logging
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

# This module's handlers have to stand above those of logging, whose locks an import may need.
_log = logging.getLogger("tailrace.producers")

_WAIT_S = 10.0
"""How long a fork waits at most: one that comes late is better than none."""

_gate = threading.RLock()
_forking: set[int] = set()
"""The thread that holds the gate for its fork, by its id."""


@contextmanager
def loading() -> Generator[None]:
    """Keep forks back meanwhile. Blocks while another thread is here, or forks."""
    with _gate:
        yield


def _before() -> None:
    if _gate.acquire(timeout=_WAIT_S):
        _forking.add(threading.get_ident())
    else:
        _log.warning("tailrace: an import took so long that a process was forked within it")


def _after_in_parent() -> None:
    if threading.get_ident() in _forking:
        _forking.discard(threading.get_ident())
        _gate.release()


def _after_in_child() -> None:
    global _gate  # noqa: PLW0603 - whoever held it does not exist in a forked child
    _gate = threading.RLock()
    _forking.clear()


os.register_at_fork(
    before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
)
