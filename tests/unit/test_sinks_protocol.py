"""The protocol against everything that can go wrong between a log, a group and a table."""

from __future__ import annotations

from dataclasses import dataclass, field

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

LIMITS = Limits(offsets=8, size_bytes=1 << 20)


@dataclass(frozen=True)
class Record:
    offset: int
    timestamp: int = 0
    key: bytes | None = None
    value: bytes | None = b"x"


@dataclass
class Owner:
    """A process that was given the partition; it may have lost it and not know."""

    generation: int
    protocol: PartitionProtocol[Record]
    fetched_to: int
    alive: bool = True


@dataclass
class Table:
    rows: list[int] = field(default_factory=list[int])
    tokens: set[str] = field(default_factory=set[str])

    def insert(self, token: str, offsets: list[int]) -> None:
        if token not in self.tokens:
            self.tokens.add(token)
            self.rows += offsets


class ArchiveOnce(RuleBasedStateMachine):
    """One partition, its log, the group's coordinator, the table, and ever new owners."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Record] = []
        self.end = 0
        self.table = Table()
        self.generation = 0
        self.committed = (0, "")
        self.owners: list[Owner] = []
        self.rebalance()

    @rule(gaps=st.lists(st.sampled_from([1, 1, 1, 2, 9]), min_size=1, max_size=12))
    def append(self, gaps: list[int]) -> None:
        """Write records; a gap is where a transaction's marker lies."""
        for gap in gaps:
            self.end += gap
            self.log.append(Record(self.end - 1))

    @rule()
    def rebalance(self) -> None:
        """Give the partition to a new owner; the old one is told nothing."""
        self.generation += 1
        commit = Commit.parse(*self.committed)
        protocol: PartitionProtocol[Record] = PartitionProtocol(commit, LIMITS)
        self.owners.append(Owner(self.generation, protocol, commit.offset))

    @precondition(lambda self: self.living())
    @rule(data=st.data(), portion=st.integers(1, 15))
    def poll(self, data: st.DataObject, portion: int) -> None:
        """Hand an owner, even one that lost the partition, its next records."""
        self.fetch(data.draw(st.sampled_from(self.living())), portion)

    @precondition(lambda self: self.living())
    @rule(data=st.data())
    def linger_is_over(self, data: st.DataObject) -> None:
        """Have an owner complete the block it has."""
        data.draw(st.sampled_from(self.living())).protocol.cutter.flush()

    @precondition(lambda self: self.living())
    @rule(data=st.data(), reply_lost=st.booleans())
    def act(self, data: st.DataObject, *, reply_lost: bool) -> None:
        """Have an owner do its next action; a lost reply has it try again."""
        self.do_next(data.draw(st.sampled_from(self.living())), reply_lost=reply_lost)

    @precondition(lambda self: self.living())
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        """Kill an owner wherever it is."""
        data.draw(st.sampled_from(self.living())).alive = False

    @invariant()
    def no_record_is_stored_twice(self) -> None:
        assert len(self.table.rows) == len(set(self.table.rows))

    @invariant()
    def what_is_committed_is_stored(self) -> None:
        below = {record.offset for record in self.log if record.offset < self.committed[0]}
        assert below <= set(self.table.rows)

    def teardown(self) -> None:
        """Whatever happened, one owner that is left alone stores everything, once."""
        self.rebalance()
        last = self.owners[-1]
        self.fetch(last, len(self.log))
        last.protocol.cutter.flush()
        while self.do_next(last, reply_lost=False):
            pass
        assert last.protocol.at_rest
        assert sorted(self.table.rows) == [record.offset for record in self.log]
        for owner in self.living():
            while owner.alive and self.do_next(owner, reply_lost=False):
                pass
        assert sorted(self.table.rows) == [record.offset for record in self.log]

    def living(self) -> list[Owner]:
        return [owner for owner in self.owners if owner.alive]

    def fetch(self, owner: Owner, portion: int) -> None:
        found = [record for record in self.log if record.offset >= owner.fetched_to][:portion]
        if found:
            owner.fetched_to = found[-1].offset + 1
            owner.protocol.feed(found)

    def do_next(self, owner: Owner, *, reply_lost: bool) -> bool:
        action = owner.protocol.next_action()
        if action is None:
            return False
        if isinstance(action, Insert):
            block = action.block
            token = insert_token("log", "topic", 0, block.range, 1)
            self.table.insert(token, [record.offset for record in block.records])
        elif owner.generation != self.generation:
            owner.alive = False  # the coordinator refuses it
            return True
        else:
            self.committed = (action.offset, action.metadata)
        if not reply_lost:
            owner.protocol.done(action)
        return True


ArchiveOnce.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
test_every_record_is_stored_once_whatever_happens = ArchiveOnce.TestCase


def test_a_commit_says_the_pending_range_and_is_read_back() -> None:
    commit = Commit(7, Range(7, 19))
    assert Commit.parse(commit.offset, commit.metadata) == commit
    assert Commit.parse(7, "") == Commit(7)


@pytest.mark.parametrize("metadata", ["hello", "1 pending 8-19", "1 pending 7-6", "2 pending 7-9"])
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
