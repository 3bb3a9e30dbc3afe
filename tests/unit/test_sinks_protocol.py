"""The protocol against everything that can go wrong between a log, a group and a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tailrace.sinks.archive.cutting import Limits, Range
from tailrace.sinks.archive.protocol import (
    Commit,
    ForeignCommitError,
    Insert,
    PartitionProtocol,
    insert_token,
)
from tailrace.sinks.archive.repair import Repair
from tailrace.sinks.archive.unsettled import LOOK_LATER_S, SETTLED_AFTER_S, Recent

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMITS = Limits(offsets=8, size_bytes=1 << 20)
LONG_S = SETTLED_AFTER_S + LOOK_LATER_S


@dataclass(frozen=True)
class Record:
    offset: int
    timestamp: int = 0
    key: bytes | None = None
    value: bytes | None = b"x"
    """None for a record that has no row by rule."""


@dataclass
class Owner:
    """A process that was given the partition; it may have lost it and not know."""

    generation: int
    protocol: PartitionProtocol[Record]
    fetched_to: int
    check: Check | None
    alive: bool = True


@dataclass
class Check:
    """An owner's look at what is unsettled below `end`."""

    recent: Recent
    end: int
    repair: Repair[Record] | None = None
    """None before the rows were counted."""

    repaired: bool = False


@dataclass
class Part:
    """What one insert wrote."""

    token: str
    offsets: set[int]
    at_s: float


@dataclass
class Table:
    parts: list[Part] = field(default_factory=list[Part])
    tokens: set[str] = field(default_factory=set[str])

    @property
    def rows(self) -> list[int]:
        return [offset for part in self.parts for offset in part.offsets]

    def insert(self, token: str, records: Sequence[Record], now_s: float) -> int:
        offsets = {record.offset for record in records if record.value is not None}
        if token not in self.tokens:
            self.tokens.add(token)
            self.parts.append(Part(token, offsets, now_s))
        return len(offsets)


class ArchiveOnce(RuleBasedStateMachine):
    """One partition, its log, the group's coordinator, the table, and ever new owners."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.log: list[Record] = []
        self.end = 0
        self.table = Table()
        self.replaced: set[int] = set()
        self.generation = 0
        self.committed = (0, "")
        self.owners: list[Owner] = []
        self.rebalance()

    @rule(
        gaps=st.lists(
            st.tuples(st.sampled_from([1, 1, 1, 2, 9]), st.sampled_from([b"x", b"x", None])),
            min_size=1,
            max_size=12,
        )
    )
    def append(self, gaps: list[tuple[int, bytes | None]]) -> None:
        """Write records; a gap is where a transaction's marker lies."""
        for gap, value in gaps:
            self.end += gap
            self.log.append(Record(self.end - 1, value=value))

    @rule()
    def rebalance(self) -> None:
        """Give the partition to a new owner; the old one is told nothing."""
        self.generation += 1
        commit = Commit.parse(*self.committed)
        protocol: PartitionProtocol[Record] = PartitionProtocol(commit, LIMITS, self.now_s)
        check = None if commit.recent is None else Check(commit.recent, commit.offset)
        self.owners.append(Owner(self.generation, protocol, commit.offset, check))

    @precondition(lambda self: self.living())
    @rule(data=st.data(), portion=st.integers(1, 15), flush=st.booleans())
    def poll(self, data: st.DataObject, portion: int, *, flush: bool) -> None:
        """Hand an owner, even one that lost the partition, its next records."""
        owner = self.some_owner(data)
        self.fetch(owner, portion)
        if flush:
            owner.protocol.cutter.flush()

    @precondition(lambda self: self.living())
    @rule(data=st.data(), reply_lost=st.booleans(), times=st.integers(1, 6))
    def act(self, data: st.DataObject, *, reply_lost: bool, times: int) -> None:
        """Have an owner do its next actions; a lost reply has it try again."""
        owner = self.some_owner(data)
        for _ in range(times):
            if owner.alive:
                self.do_next(owner, reply_lost=reply_lost)

    @precondition(lambda self: self.living())
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        """Kill an owner wherever it is."""
        self.some_owner(data).alive = False

    @rule(for_s=st.sampled_from([1.0, SETTLED_AFTER_S, LONG_S]))
    def time_passes(self, for_s: float) -> None:
        self.now_s += for_s

    @precondition(lambda self: self.table.rows)
    @rule(data=st.data())
    def replace_a_row(self, data: st.DataObject) -> None:
        """Merge a repeat: its identity's row takes the place of an earlier one."""
        gone = data.draw(st.sampled_from(sorted(self.table.rows)))
        self.replaced.add(gone)
        for part in self.table.parts:
            part.offsets.discard(gone)

    @precondition(lambda self: self.young())
    @rule(data=st.data(), keeps_tokens=st.booleans())
    def power_fails(self, data: st.DataObject, *, keeps_tokens: bool) -> None:
        """Take some of the parts that were not written to the disk yet.

        Where it takes tokens as well, no writer sleeps through it: see `design/006-archive.md`.
        """
        young = self.young()
        taken = data.draw(st.sets(st.integers(0, len(young) - 1), min_size=1))
        for number in taken:
            self.table.parts.remove(young[number])
            if not keeps_tokens:
                self.table.tokens.discard(young[number].token)
        for owner in self.living():
            owner.alive = keeps_tokens

    @invariant()
    def no_record_is_stored_twice(self) -> None:
        assert len(self.table.rows) == len(set(self.table.rows))

    @invariant()
    def what_is_settled_is_stored(self) -> None:
        commit = Commit.parse(*self.committed)
        settled = commit.offset if commit.recent is None else commit.recent.first
        assert not self.missing(0, settled)

    def teardown(self) -> None:
        """Whatever happened, one owner that is left alone stores everything, once."""
        self.rebalance()
        last = self.owners[-1]
        self.fetch(last, len(self.log))
        last.protocol.cutter.flush()
        self.finish(last)
        assert last.protocol.at_rest
        for owner in self.living():
            self.finish(owner)
        for _ in range(3):
            self.now_s += LONG_S
            self.finish(last)
        assert not self.missing(0, self.end)
        assert len(self.table.rows) == len(set(self.table.rows))
        assert last.protocol.unsettled.recent is None

    def living(self) -> list[Owner]:
        return [owner for owner in self.owners if owner.alive]

    def some_owner(self, data: st.DataObject) -> Owner:
        """Return an owner, every other time the newest."""
        living = self.living()
        return data.draw(st.sampled_from([*living, *living[-1:] * len(living)]))

    def young(self) -> list[Part]:
        return [part for part in self.table.parts if part.at_s > self.now_s - SETTLED_AFTER_S]

    def missing(self, first: int, end: int) -> list[Record]:
        """Return what a look at a range finds missing."""
        there = {*self.table.rows, *self.replaced}
        return [
            record
            for record in self.log
            if first <= record.offset < end and record.value and record.offset not in there
        ]

    def fetch(self, owner: Owner, portion: int) -> None:
        found = [record for record in self.log if record.offset >= owner.fetched_to][:portion]
        if found:
            owner.fetched_to = found[-1].offset + 1
            owner.protocol.feed(found)

    def finish(self, owner: Owner) -> None:
        while owner.alive and self.do_next(owner, reply_lost=False):
            pass

    def do_next(self, owner: Owner, *, reply_lost: bool) -> bool:
        if owner.check is None and (ripe := owner.protocol.unsettled.ripe(self.now_s)):
            owner.check = Check(*ripe)
        if owner.check is not None:
            self.look(owner, owner.check, reply_lost=reply_lost)
            return True
        action = owner.protocol.next_action()
        if action is None:
            return False
        rows = 0
        if isinstance(action, Insert):
            token = insert_token("log", "topic", 0, action.block.range, 1)
            rows = self.table.insert(token, action.block.records, self.now_s)
        elif owner.generation != self.generation:
            owner.alive = False  # the coordinator refuses it
            return True
        else:
            self.committed = (action.offset, action.metadata)
        if not reply_lost:
            owner.protocol.done(action, rows=rows, now_s=self.now_s)
        return True

    def look(self, owner: Owner, check: Check, *, reply_lost: bool) -> None:
        """Do the next step of a check: count, look at a window, or insert a portion."""
        if check.repair is None:
            counted = sum(check.recent.first <= row < check.end for row in self.table.rows)
            check.repair = Repair(check.recent.first, check.end, LIMITS)
            if counted == check.recent.rows:
                check.repair = Repair(check.end, check.end, LIMITS)
        elif (insert := check.repair.next_insert()) is not None:
            token = insert_token("log", "topic", 0, insert.block.range, 1, repair=insert.attempt)
            self.table.insert(token, insert.block.records, self.now_s)
            check.repaired = True
            if not reply_lost:
                check.repair.done(insert)
        elif (window := check.repair.window) is not None:
            check.repair.found_missing(self.missing(window.first, window.last + 1))
        else:
            assert not check.repair.given_up
            whole = not check.repaired
            owner.protocol.unsettled.looked(check.end, self.now_s, whole=whole)
            owner.check = None


ArchiveOnce.TestCase.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
test_every_record_is_stored_once_whatever_happens = ArchiveOnce.TestCase


def test_a_commit_says_the_pending_range_and_is_read_back() -> None:
    commit = Commit(7, Range(7, 19))
    assert Commit.parse(commit.offset, commit.metadata) == commit
    assert Commit.parse(7, "") == Commit(7)


@pytest.mark.parametrize("pending", [None, Range(7, 19)])
def test_a_commit_tells_its_recent_rows(pending: Range | None) -> None:
    commit = Commit(7, pending, Recent(3, 4, 1000, 2000))
    told = Commit.parse(commit.offset, commit.metadata)
    assert (told.pending, told.recent) == (pending, commit.recent)


def test_a_commit_of_the_first_version_is_read() -> None:
    assert Commit.parse(7, "1 pending 7-19") == Commit(7, Range(7, 19))


@pytest.mark.parametrize(
    "metadata", ["hello", "1 pending 8-19", "1 pending 7-6", "3 pending 7-9", "2 recent 8 1 0-0"]
)
def test_a_commit_of_another_program_is_refused(metadata: str) -> None:
    with pytest.raises(ForeignCommitError, match="another program shares the group"):
        Commit.parse(7, metadata)


@pytest.mark.parametrize(
    ("commit", "begin", "expected"),
    [
        (Commit(5), 0, Commit(5)),
        (Commit(5), 9, Commit(9)),
        (Commit(5, Range(5, 20)), 12, Commit(5, Range(5, 20))),
        (Commit(5, Range(5, 20)), 21, Commit(21)),
    ],
)
def test_what_retention_dropped_is_not_waited_for(
    commit: Commit, begin: int, expected: Commit
) -> None:
    assert commit.beginning_at(begin) == expected
