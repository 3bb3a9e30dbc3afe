"""What was stored so lately that a power failure may still take it, though it was acknowledged.

Pure: the clock is passed in. An operating system writes what it was given to the disk within half a
minute or so. So rows that the tables are seen to hold twice, long enough apart, stay there: at the
second look they are old, whoever stored them. Until then they are unsettled: the commits say which
they are, and whoever owns the partition next counts them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from itertools import takewhile

SETTLED_AFTER_S = 120.0
"""Rows that have been there for so long are on the disk. Linux writes a page at
the latest 35 s after it was changed (`dirty_expire_centisecs`, `dirty_writeback_centisecs`), and a
file system its journal 30 s after that: this is twice as long, and less than the 480 s for which
ClickHouse keeps the sources of a merge, whose result it does not fsync."""

LOOK_LATER_S = 60.0
"""So much longer the first look waits, so that it covers all that was stored meanwhile."""


@dataclass(frozen=True)
class Recent:
    """The unsettled rows below a commit, as the commit tells them."""

    first: int
    """Everything below this offset is settled."""

    rows: int
    """How many rows were stored of the offsets from `first` to the commit."""

    from_ms: int
    """The lowest broker's time of their records, milliseconds since the epoch."""

    to_ms: int
    """The highest."""

    def __str__(self) -> str:
        return f"{self.first} {self.rows} {self.from_ms}-{self.to_ms}"


@dataclass(frozen=True)
class _Stored:
    end: int
    rows: int
    from_ms: int
    to_ms: int
    since_s: float
    """When it was acknowledged; where `seen`, when the tables were seen to hold it."""

    seen: bool = False


class Unsettled:
    """The unsettled ranges of one partition, oldest first.

    Args:
        inherited: what the commit that the owner began with told.
        offset: of that commit.
        now_s: monotonic seconds; what is inherited counts as stored now.
    """

    def __init__(self, inherited: Recent | None, offset: int, now_s: float) -> None:
        self._first = offset
        self._stored: deque[_Stored] = deque()
        if inherited is not None:
            self._first = inherited.first
            self.stored(offset, inherited.rows, (inherited.from_ms, inherited.to_ms), now_s)

    @property
    def recent(self) -> Recent | None:
        """Everything that is unsettled, as a commit tells it."""
        return self._told(list(self._stored))

    def stored(self, end: int, rows: int, times_ms: tuple[int, int], now_s: float) -> None:
        """Note that everything below `end` is acknowledged, and what of it is new.

        Args:
            end: the offset after the last one.
            rows: how many rows were stored.
            times_ms: the lowest and the highest broker's time of their records.
            now_s: monotonic seconds.
        """
        if rows:
            self._stored.append(_Stored(end, rows, *times_ms, now_s))
        elif self._stored:
            self._stored[-1] = replace(self._stored[-1], end=end)
        else:
            self._first = end

    def ripe(self, now_s: float) -> tuple[Recent, int] | None:
        """Return what is to be looked for in the tables, and the offset after it, if anything."""
        if self.ripe_in(now_s) > 0:
            return None
        old = list(takewhile(lambda each: each.since_s <= now_s - SETTLED_AFTER_S, self._stored))
        found = self._told(old)
        return None if found is None else (found, old[-1].end)

    def ripe_in(self, now_s: float) -> float:
        """Return the seconds until something is ripe; infinite if nothing is unsettled."""
        if not self._stored:
            return float("inf")
        return self._stored[0].since_s + SETTLED_AFTER_S + LOOK_LATER_S - now_s

    def looked(self, end: int, now_s: float, *, whole: bool) -> None:
        """Note that the tables were looked at for everything unsettled below `end`.

        Args:
            end: as `ripe` gave it, or the offset of the inherited commit.
            now_s: monotonic seconds, after the look.
            whole: whether nothing was missing; what was stored again since is as good as new.
        """
        looked_at: list[_Stored] = []
        while self._stored and self._stored[0].end <= end:
            each = self._stored.popleft()
            if whole and each.seen and not looked_at:
                self._first = each.end
            else:
                looked_at.append(each)
        told = self._told(looked_at)
        if told is not None:
            last = looked_at[-1].end
            self._stored.appendleft(
                _Stored(last, told.rows, told.from_ms, told.to_ms, now_s, seen=whole)
            )

    def _told(self, stored: list[_Stored]) -> Recent | None:
        if not stored:
            return None
        return Recent(
            self._first,
            sum(each.rows for each in stored),
            min(each.from_ms for each in stored),
            max(each.to_ms for each in stored),
        )
