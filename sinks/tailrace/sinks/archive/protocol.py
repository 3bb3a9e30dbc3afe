"""What one owner of one partition does, step by step, so that a block is inserted once.

Pure: the model that the state machine in the tests breaks, and the code that `lane` runs.

For each block three things happen in this order, and a crash may come between any two:

1. *Commit the pending range*: the offset commit says "stored below `first`", and its metadata names
   the range that is about to be inserted. The group's coordinator refuses it from an owner that
   lost the partition, so no two owners ever begin different ranges.
2. *Insert the range* under a token that is made of the log, the topic, the partition and the range.
   A repeat of the insert under its token changes nothing, however late it comes.
3. *Commit past it*, together with the next pending range where there is one.

A new owner reads the last commit. A pending range in it was perhaps inserted and perhaps not: it is
sent again, whole and under the same token, before anything else.

A commit also tells which rows below it are unsettled (`unsettled`), so that a new owner can count
whether a power failure took any of them; what it does then is `repair`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Generic

from tailrace.schemas.errors import TailraceError
from tailrace.sinks.archive.cutting import Cutter, Limits, R, Range
from tailrace.sinks.archive.unsettled import Recent, Unsettled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.sinks.archive.cutting import Block, LogRecord

# The first version told no recent rows.
_METADATA = re.compile(
    r"1 pending (\d+)-(\d+)"
    r"|2(?: pending (?P<first>\d+)-(?P<last>\d+))?"
    r"(?: recent (?P<from>\d+) (?P<rows>\d+) (?P<from_ms>\d+)-(?P<to_ms>\d+))?"
)


class ForeignCommitError(TailraceError):
    """The group's commit was not written by this protocol."""


@dataclass(frozen=True)
class Commit:
    """An offset commit: everything below `offset` is stored; `pending` starts there, if any."""

    offset: int
    pending: Range | None = None
    recent: Recent | None = field(default=None, compare=False)
    """Which rows below `offset` are unsettled; no part of what the protocol decides by."""

    @property
    def metadata(self) -> str:
        """The text that is committed with the offset."""
        pending = "" if self.pending is None else f" pending {self.pending}"
        recent = "" if self.recent is None else f" recent {self.recent}"
        return f"2{pending}{recent}" if pending or recent else ""

    @classmethod
    def parse(cls, offset: int, metadata: str) -> Commit:
        """Return the commit that was written as this offset and text.

        Raises:
            ForeignCommitError: if the text is not this protocol's, or belongs to another offset.
        """
        if not metadata:
            return cls(offset)
        match = _METADATA.fullmatch(metadata)
        commit = None if match is None else cls._of(offset, match)
        if commit is None:
            raise ForeignCommitError(
                f"the group's commit at offset {offset} says {metadata[:80]!r}, which this version "
                "did not write: another program shares the group, or a newer Tailrace wrote it"
            )
        return commit

    @classmethod
    def _of(cls, offset: int, match: re.Match[str]) -> Commit | None:
        first, last = match[1] or match["first"], match[2] or match["last"]
        pending = recent = None
        if first is not None:
            if int(first) != offset or int(last) < offset:
                return None
            pending = Range(offset, int(last))
        if match["from"] is not None:
            names = ("from", "rows", "from_ms", "to_ms")
            recent = Recent(*(int(match[name]) for name in names))
            if recent.first > offset:
                return None
        return cls(offset, pending, recent)

    def beginning_at(self, begin: int) -> Commit:
        """Return the commit for a log whose retention has dropped everything below `begin`.

        A pending range that is partly gone is still sent, under its own name; one that is wholly
        gone has nothing left to be sent.
        """
        last = self.offset - 1 if self.pending is None else self.pending.last
        return self if begin <= max(last, self.offset) else Commit(begin)


@dataclass(frozen=True)
class Insert(Generic[R]):
    """The insert of one whole block."""

    block: Block[R]


class _Phase(Enum):
    IDLE = auto()  # nothing begun
    ANNOUNCING = auto()  # the commit of the pending range is under way
    INSERTING = auto()  # the commit stands, the insert is under way


class PartitionProtocol(Generic[R]):
    """The state of one owner, from the partition's assignment to its revocation.

    Ask for the next action, do it until it is known to be done, say `done`; never begin the next
    one before. An owner that cannot know (its commit was refused) stops and is thrown away.
    """

    def __init__(self, committed: Commit, limits: Limits, now_s: float = 0.0) -> None:
        self.unsettled = Unsettled(committed.recent, committed.offset, now_s)
        self.cutter: Cutter[R] = Cutter(committed.offset, committed.pending, limits)
        self._committed = committed
        self._stored_to = committed.offset
        self._phase = _Phase.IDLE
        self._block: Block[R] | None = None

    @property
    def stored_to(self) -> int:
        """The first offset that is not known to be stored."""
        return self._stored_to

    @property
    def at_rest(self) -> bool:
        """Whether nothing is under way, waiting to be inserted, or waiting to be committed."""
        return (
            self._phase is _Phase.IDLE
            and self._committed == Commit(self._stored_to)
            and not self.cutter.has_closed
            and not self.cutter.has_open
        )

    @property
    def oldest(self) -> R | None:
        """The first record that was fed and is not known to be stored, if any."""
        if self._block is not None and self._block.records:
            return self._block.records[0]
        return self.cutter.oldest

    def feed(self, records: Sequence[R]) -> None:
        """Take further records of the partition, in offset order."""
        self.cutter.feed(records)

    def skip_to(self, position: int) -> None:
        """Note that no record is left below `position` (transaction markers); only at rest."""
        if self.at_rest and position > self._stored_to:
            self._stored_to = position
            self.cutter.skip_to(position)

    def next_action(self) -> Commit | Insert[R] | None:
        """Return what to do now; None if there is nothing until more is fed or flushed."""
        if self._phase is _Phase.IDLE:
            self._begin()
        if self._block is None:
            return self.last_action()
        if self._phase is _Phase.ANNOUNCING:
            return Commit(self._stored_to, self._block.range, self.unsettled.recent)
        return Insert(self._block)

    def last_action(self) -> Commit | None:
        """Return the commit that is left to do before the partition is handed over, if any."""
        assert self._block is None, "a begun insert comes first"
        caught_up = Commit(self._stored_to, None, self.unsettled.recent)
        return None if caught_up == self._committed or self.cutter.recovering else caught_up

    def done(self, action: Commit | Insert[R], *, rows: int = 0, now_s: float = 0.0) -> None:
        """Note that the action is done: the broker or the table has acknowledged it.

        Args:
            action: what was asked for last.
            rows: how many rows an insert stored.
            now_s: monotonic seconds.
        """
        if isinstance(action, Commit):
            self._committed = action
            if action.pending is not None:
                self._phase = _Phase.INSERTING
            return
        assert self._block is action.block, "only the action that was asked for can be done"
        self._stored_to = action.block.range.last + 1
        self.unsettled.stored(self._stored_to, rows, _times_ms(action.block.records), now_s)
        self._block = None
        self._phase = _Phase.IDLE

    def _begin(self) -> None:
        self._block = self.cutter.take()
        if self._block is None:
            return
        announced = self._committed == Commit(self._stored_to, self._block.range)
        self._phase = _Phase.INSERTING if announced else _Phase.ANNOUNCING


def _times_ms(records: Sequence[LogRecord]) -> tuple[int, int]:
    times = [record.timestamp for record in records]
    return min(times, default=0), max(times, default=0)


def insert_token(
    log_id: str,
    topic: str,
    partition: int,
    block: Range,
    schema_id: int,
    *,
    repair: int | None = None,
) -> str:
    """Return the token of the insert of one schema's records in a range.

    The records of one schema go into one container and so into one insert; a range with several
    schemas is several inserts, each repeatable on its own. `repair` is the attempt, where the range
    was stored before and some of it went missing.
    """
    what = f"{block}" if repair is None else f"{block} repair {repair}"
    return f"{log_id}:{topic}:{partition}:{what}:{schema_id}"
