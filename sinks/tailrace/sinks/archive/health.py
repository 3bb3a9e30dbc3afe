"""Whether a sink is stuck, and why: what `/healthz` answers.

Told by the sink as it runs, asked from another thread, so that a loop which no longer turns is
found as well. A sink that only has much to do is well; one that does not get on is not.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tailrace.sinks.archive.meters import Position

STUCK_AFTER_S = 60.0
"""How long nothing may move, or a server not answer, before the sink counts as stuck."""


class Health:
    """What the sink last did, and when.

    Args:
        stuck_after_s: the bound.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        stuck_after_s: float = STUCK_AFTER_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stuck_after_s = stuck_after_s
        self._clock = clock
        self._turned_at = clock()
        self._begun = False
        self._failure = ""
        self._answered_at: dict[str, float] = {}
        self._moved: dict[tuple[str, int], tuple[Position, float]] = {}

    def turned(self, positions: Mapping[tuple[str, int], Position]) -> None:
        """Note that the sink's loop turned, and where its partitions stand."""
        now = self._clock()
        self._begun = True
        self._turned_at = now
        moved: dict[tuple[str, int], tuple[Position, float]] = {}
        for place, position in positions.items():
            known = self._moved.get(place)
            rests = known is not None and position.lag > 0 and _rests(known[0], position)
            moved[place] = known if known is not None and rests else (position, now)
        self._moved = moved

    def answered(self, server: str) -> None:
        """Note that a server answered; one that is noted once has to go on answering."""
        self._answered_at[server] = self._clock()

    def failed(self, reason: str) -> None:
        """Note why the sink ends."""
        self._failure = reason

    def trouble(self) -> str | None:
        """Return why the sink is not well, in a sentence; None if it is."""
        if self._failure:
            return f"the sink failed: {self._failure}"
        now = self._clock()
        for server, at in sorted(self._answered_at.items()):
            if self._is_long(now - at):
                return f"{server} has not answered for {now - at:.0f} s"
        if self._is_long(now - self._turned_at):
            what = "has not polled the log" if self._begun else "has not begun to read the log"
            return f"the sink {what} for {now - self._turned_at:.0f} s"
        resting = {place: at for place, (_, at) in self._moved.items() if self._is_long(now - at)}
        if resting:
            (topic, partition), at = min(resting.items(), key=lambda entry: entry[1])
            return (
                f"{len(resting)} of {len(self._moved)} partitions do not get on although records "
                f"wait: {topic}-{partition} stands at offset "
                f"{self._moved[topic, partition][0].stored_to} for {now - at:.0f} s"
            )
        return None

    def _is_long(self, seconds: float) -> bool:
        return seconds > self.stuck_after_s


def _rests(before: Position, now: Position) -> bool:
    return (before.stored_to, before.compared) == (now.stored_to, now.compared)
