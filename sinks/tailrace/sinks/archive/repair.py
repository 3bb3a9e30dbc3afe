"""How what a power failure took is stored again: look, send the first of what is missing, look.

Pure: the rim looks and inserts. A block cannot be sent again under its own token: the engine may
have kept the token and lost the rows, and would do nothing. So what is missing is sent in portions
that end at the fixed borders, each under a token that says its range, that it is a repair, and the
how-manieth. Whoever finds the same missing makes the same portions and tokens, so a repair that is
killed half way, or done by two owners at once, inserts once; where a power failure took an earlier
repair and left its token, the next look finds that, and the next attempt has another token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic

from tailrace.sinks.archive.cutting import Block, R, Range

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tailrace.sinks.archive.cutting import Limits

ATTEMPTS = 8
"""So many tokens are tried for one portion: each but the last may be that of an earlier repair
whose rows were taken as well."""


@dataclass(frozen=True)
class RepairInsert(Generic[R]):
    """The insert of one portion of what is missing."""

    block: Block[R]
    """Its range goes from the portion's first missing offset to its last; its records are those
    that are missing, perhaps not all that lie in the range."""

    attempt: int
    """Part of its token."""


class Repair(Generic[R]):
    """One range below a commit, from the first look at it to one that finds nothing missing.

    Args:
        first: where the range begins.
        end: the offset after it.
        limits: how large a portion may get.
    """

    def __init__(self, first: int, end: int, limits: Limits) -> None:
        self.given_up = 0
        """How many portions were missing after every attempt: something takes them away again."""

        self._position = first
        self._end = end
        self._limits = limits
        self._insert: RepairInsert[R] | None = None
        self._tried: tuple[int, int] | None = None

    @property
    def window(self) -> Range | None:
        """Where to look next; None if the whole range was seen in the tables."""
        if self._position >= self._end:
            return None
        border = (self._position // self._limits.offsets + 1) * self._limits.offsets
        return Range(self._position, min(border, self._end) - 1)

    def found_missing(self, records: Iterable[R]) -> None:
        """Take what a look at the window found, in offset order; read until it makes a portion.

        The look must begin after the insert that the one before it led to has ended.
        """
        window = self.window
        assert window is not None, "there is nothing left to look at"
        assert self._insert is None, "an insert comes before the next look"
        portion = _portion(records, self._limits)
        if not portion:
            self._position = window.last + 1
            return
        first = portion[0].offset
        attempt = self._tried[1] + 1 if self._tried and self._tried[0] == first else 0
        if attempt == ATTEMPTS:
            self.given_up += 1
            self._position = portion[-1].offset + 1
            return
        self._position = first
        self._tried = (first, attempt)
        size = sum(len(record.value or b"") for record in portion)
        block = Block(Range(first, portion[-1].offset), portion, size)
        self._insert = RepairInsert(block, attempt)

    def next_insert(self) -> RepairInsert[R] | None:
        """Return what is to be inserted now; None if it is time to look, or all is seen."""
        return self._insert

    def done(self, insert: RepairInsert[R]) -> None:
        """Note that the insert is acknowledged, which does not say that it wrote anything."""
        assert insert is self._insert, "only the insert that was asked for can be done"
        self._insert = None


def _portion(records: Iterable[R], limits: Limits) -> Sequence[R]:
    """Return the first of the records, as many as go into one insert."""
    portion: list[R] = []
    size = 0
    for record in records:
        portion.append(record)
        size += len(record.value or b"")
        if size >= limits.size_bytes:
            break
    return portion
