"""How a process that runs until it is told to stop does stop: at rest, or by force in the end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def stop_on_signals(
    stop: asyncio.Event, what: str, within_s: float, say: Callable[[str], None]
) -> None:
    """Set an event on SIGINT and SIGTERM, and end the process if it is not at rest in time.

    A thread that hangs, in a server's answer for one, would keep the process alive beyond any
    promise. Called on the loop that the event belongs to.

    Args:
        stop: what is set.
        what: what is stopped, for people.
        within_s: how long it may take to come to rest.
        say: tells people that it did not.
    """

    def give_up() -> None:
        say(
            f"error: {what} did not come to rest within {within_s:.0f} s and was ended; nothing is "
            "lost, the next one goes on from the last commit"
        )
        sys.stderr.flush()
        os._exit(1)

    def told() -> None:
        if not stop.is_set():
            guard = threading.Timer(within_s, give_up)
            guard.daemon = True
            guard.start()
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told)
