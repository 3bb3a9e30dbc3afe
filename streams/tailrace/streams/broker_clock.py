"""The broker's time, as far as it can be known from records: never ahead of it.

Each record says when the broker took it, and it was received later. So the newest of (its time,
plus what has passed here since) is at most the broker's time now. What has passed is told by a
monotonic clock, so that nobody who sets a clock abandons anything.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

RENEWED_MS = 600_000
"""An observation counts for one to two of these: clocks drift apart."""


class BrokerClock:
    """Tells the broker's time.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ahead_ms: float | None = None
        self._former_ms: float | None = None
        self._since_ms = clock() * 1_000

    def observe(self, broker_ms: int) -> None:
        """Take in the time of a record that has just been received."""
        here_ms = self._clock() * 1_000
        ahead_ms = broker_ms - here_ms
        if here_ms - self._since_ms > RENEWED_MS:
            self._former_ms, self._ahead_ms = self._ahead_ms, ahead_ms
            self._since_ms = here_ms
        elif self._ahead_ms is None or ahead_ms > self._ahead_ms:
            self._ahead_ms = ahead_ms

    def now_ms(self) -> int | None:
        """Return the broker's time or some time before it, in milliseconds; None if unknown."""
        known = [each for each in (self._ahead_ms, self._former_ms) if each is not None]
        if not known:
            return None
        return int(max(known) + self._clock() * 1_000)
