"""Whether a stream worker is stuck, and why: what `/healthz` answers.

Told by the worker as it runs, asked from another thread, so that a loop which no longer turns is
found as well.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

STUCK_AFTER_S = 60.0
"""How long nothing may move before the worker counts as stuck."""


class Liveness:
    """What the worker last did, and when.

    Args:
        stuck_after_s: the bound.
        clock: monotonic seconds.
    """

    def __init__(
        self, stuck_after_s: float = STUCK_AFTER_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.stuck_after_s = stuck_after_s
        self._clock = clock
        self._turned_at = clock()
        self._ready = False
        self._waiting_since: float | None = None
        self._stalled_s = 0.0
        self._failure = ""

    def turned(self, *, ready: bool, waits: bool, stalled_s: float = 0.0) -> None:
        """Note that the worker's loop turned.

        Args:
            ready: whether its state is back and it reads.
            waits: whether something that it has folded is not acknowledged yet.
            stalled_s: for how long records did not come although there are some.
        """
        now = self._clock()
        self._stalled_s = stalled_s
        self._turned_at = now
        self._ready = ready
        if not waits:
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = now

    def moved(self) -> None:
        """Note that something was acknowledged."""
        self._waiting_since = None

    def failed(self, reason: str) -> None:
        """Note why the worker ends."""
        self._failure = reason

    def trouble(self) -> str | None:
        """Return why the worker is not well, in a sentence; None if it is."""
        if self._failure:
            return f"the worker failed: {self._failure}"
        now = self._clock()
        if now - self._turned_at > self.stuck_after_s:
            what = "has not turned its loop" if self._ready else "has not begun to read the log"
            return f"the worker {what} for {now - self._turned_at:.0f} s"
        if self._waiting_since is not None and now - self._waiting_since > self.stuck_after_s:
            return (
                "Kafka has not taken what the worker publishes for "
                f"{now - self._waiting_since:.0f} s"
            )
        if self._stalled_s > self.stuck_after_s:
            return f"records wait, and none has come to the worker for {self._stalled_s:.0f} s"
        return None
