"""Which numbers of those expected are not there, as ranges. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.sinks.archive.cutting import Range

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

RANGES_KEPT = 1_000
"""So many ranges are kept of one partition or run; further numbers are only counted."""


class Missing:
    """Numbers that are missing, gathered in ascending order: all counted, the first as ranges."""

    def __init__(self, kept: int = RANGES_KEPT) -> None:
        self.count = 0
        """How many numbers are missing."""

        self.whole = True
        """Whether `ranges` holds all of them."""

        self._kept = kept
        self._ranges: list[Range] = []

    @property
    def ranges(self) -> tuple[Range, ...]:
        """The missing numbers, ascending; neighbours are joined."""
        return tuple(self._ranges)

    def add(self, numbers: Iterable[int]) -> None:
        """Take further numbers, each higher than any before."""
        for number in numbers:
            self.count += 1
            last = self._ranges[-1] if self._ranges else None
            if last is not None and self.whole and number == last.last + 1:
                self._ranges[-1] = Range(last.first, number)
            elif len(self._ranges) < self._kept and self.whole:
                self._ranges.append(Range(number, number))
            else:
                self.whole = False


def missing_from(expected: Iterable[int], stored: Container[int]) -> Missing:
    """Return those expected numbers, which ascend, that are not stored."""
    missing = Missing()
    missing.add(number for number in expected if number not in stored)
    return missing


def missing_seqs(stored: Iterable[int], last_seq: int | None) -> Missing:
    """Return the seqs that a run must have and that are not stored.

    Args:
        stored: the seqs that are, in any order and as often as they like.
        last_seq: what the run's last event says; None while it is not stored. Seqs count without
            gaps, so then all up to the highest stored one are expected.
    """
    there = set(stored)
    highest = max(there, default=-1)
    end = highest if last_seq is None else max(last_seq, highest)
    return missing_from(range(end + 1), there)
