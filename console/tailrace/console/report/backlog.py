"""How much of a backlog is done and how long the rest will take, from looks at the lag alone."""

from __future__ import annotations

from rich.text import Text

from tailrace.console.report.amounts import duration

BEGINS_AT = 10_000
"""Offsets of lag from which it is a backlog, and not a sink at work."""

ENDS_BELOW = 1_000
_CELLS = 20
_MICROS = 1_000_000


class Backlog:
    """A backlog from the look that found it until it is worked off.

    What arrives meanwhile counts: the rate is that of the lag, not that of the rows.
    """

    def __init__(self) -> None:
        self._peak = 0
        self._peak_at_s = 0.0
        self._lag = 0
        self._now_s = 0.0

    def look(self, lag: int, now_s: float) -> None:
        """Take the lag of now, by a clock that only goes on."""
        self._lag, self._now_s = lag, now_s
        if lag < ENDS_BELOW or (not self._peak and lag < BEGINS_AT):
            self._peak = 0
        elif lag >= self._peak:
            self._peak, self._peak_at_s = lag, now_s

    @property
    def share(self) -> float | None:
        """How much of it is done, 0 to 1; None if there is no backlog."""
        return 1 - self._lag / self._peak if self._peak else None

    @property
    def left_s(self) -> float | None:
        """Seconds until it is worked off at the rate so far; None if that is not known."""
        done, took_s = self._peak - self._lag, self._now_s - self._peak_at_s
        return self._lag * took_s / done if self._peak and done > 0 and took_s > 0 else None

    def bar(self) -> Text:
        """Return the bar, the share and the time left; nothing if there is no backlog."""
        share = self.share
        if share is None:
            return Text()
        full = round(share * _CELLS)
        text = Text.assemble(("━" * full, "green"), ("━" * (_CELLS - full), "dim"))
        text.append(f" {share:.0%}")
        left_s = self.left_s
        return text if left_s is None else text.append(f", {duration(int(left_s * _MICROS))} left")
