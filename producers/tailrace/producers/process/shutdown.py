"""The end of a process: what SIGTERM does to an open client, and what is said about the rest.

A handler stands only where the main thread opens a client. Where SIGTERM would have ended the
process at once, the client is closed first, and the signal then takes its course. Where somebody
else handles it, as a web server's worker does, what is recorded so far is stored first and that
handler goes on: the requests it lets finish are recorded, and closing comes with the exit.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

    from tailrace.producers.client import Tailrace
    from tailrace.producers.stats import Stats

_log = logging.getLogger("tailrace.producers")

CLOSE_S = 10.0
"""How long SIGTERM waits for a close that it interrupted."""

FLUSH_S = 2.0
"""How long SIGTERM is held up where another handler is to follow."""

_clients: weakref.WeakSet[Tailrace] = weakref.WeakSet()
_before: list[Any] = []
"""The handler that stood when ours was put there."""


def watch_sigterm(client: Tailrace) -> None:
    """Have SIGTERM store what the client has recorded; nothing happens outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return
    _clients.add(client)
    found = signal.getsignal(signal.SIGTERM)
    # None stands for a handler that was not put there from Python; who ignores it keeps that.
    if found is _on_sigterm or found is None or found is signal.SIG_IGN:
        return
    _before[:] = [found]
    signal.signal(signal.SIGTERM, _on_sigterm)


def _on_sigterm(number: int, frame: FrameType | None) -> None:
    before = _before[0] if _before else signal.SIG_DFL
    if callable(before):
        for client in list(_clients):
            if client.is_open:
                client.flush(FLUSH_S)
        before(number, frame)
        return
    for client in list(_clients):
        client.close()
        # Where the signal came while the client was being closed, that has to be waited for here.
        if client.sender is not None:
            client.sender.close(CLOSE_S)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def say_what_is_left(stats: Stats, timeout_s: float) -> None:
    """Log what a client could not send within its time."""
    if stats.left:
        _log.warning(
            "tailrace: %d records were not acknowledged within %g s of closing; they lie in the "
            "spool, and the next process that opens a client here sends them",
            stats.left,
            timeout_s,
        )
    if stats.unsent:
        _log.error(
            "tailrace: %d records were not acknowledged within %g s of closing and are lost",
            stats.unsent,
            timeout_s,
        )
