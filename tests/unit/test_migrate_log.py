"""The pure parts of a move: what lies where, which log it is, which settings a topic has."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.console.moving.comparing import record_digest
from tailrace.console.moving.placing import FILLER_HEADER, Placing, WholeRecord, is_filler
from tailrace.console.moving.settings import being_copied, finished
from tailrace.schemas.lineage import Lineage, LogMovedAwayError, Move, lineage
from tailrace.schemas.topic_settings import TopicState, topic_configs
from tailrace.schemas.topics import CONTROL, REQUESTS, RUNS


@dataclass(frozen=True)
class Lying:
    """A record of a partition."""

    offset: int
    timestamp: int = 7
    key: bytes | None = b"k"
    value: bytes | None = b"v"
    headers: tuple[tuple[str, bytes | None], ...] = ()


@given(st.sets(st.integers(0, 60)), st.integers(0, 5), st.integers(0, 5))
def test_every_offset_is_taken_once_by_its_record_or_by_a_filler(
    offsets: set[int], portions: int, tail: int
) -> None:
    records = [Lying(offset, timestamp=offset) for offset in sorted(offsets)]
    placing, placed = Placing(0), list[WholeRecord]()
    for start in range(0, len(records), portions + 1):
        placed += placing.place(records[start : start + portions + 1])
    end = max(offsets, default=-1) + 1 + tail
    placed += placing.fill(end)

    assert [each.offset for each in placed] == list(range(end))
    assert [each for each in placed if isinstance(each, Lying)] == records
    assert placing.fillers == end - len(records)
    assert placing.position == end


def test_a_filler_is_told_from_a_tombstone_and_kept_no_longer_than_what_lies_before() -> None:
    placing = Placing(3)
    _, filler, _ = placing.place([Lying(3, timestamp=9), Lying(5)])
    assert is_filler(filler)
    assert filler.timestamp == 9
    assert not is_filler(Lying(0, value=None))
    assert not is_filler(Lying(0, key=None, value=None))
    assert not is_filler(Lying(0, key=None, headers=((FILLER_HEADER, b""),)))


def test_a_digest_tells_any_part_of_a_record_from_another() -> None:
    record = Lying(0, headers=(("a", b"1"), ("b", None)))
    others = [
        replace(record, timestamp=8),
        replace(record, key=None),
        replace(record, key=b""),
        replace(record, key=b"kv", value=b""),
        replace(record, value=None),
        replace(record, headers=()),
        replace(record, headers=(("b", None), ("a", b"1"))),
        replace(record, headers=(("a", b"1"), ("b", b""))),
        replace(record, headers=(("a1", b""), ("b", None))),
    ]
    digests = {record_digest(each) for each in [record, *others]}
    assert len(digests) == len(others) + 1
    assert record_digest(replace(record, offset=9)) == record_digest(record)


def test_a_log_keeps_its_id_wherever_it_moves_and_lives_in_one_place() -> None:
    moves = [Move("a", "b"), Move("b", "c")]
    assert lineage("a", []) == Lineage(("a",))
    assert lineage("b", moves[:1]) == Lineage(("a", "b"))
    assert lineage("c", moves) == Lineage(("a", "b", "c"))
    assert lineage("c", moves).log_id == "a"
    assert lineage("a", [*moves, Move("c", "a")]).log_id == "a"
    for cluster, known in (("a", moves[:1]), ("b", moves), ("x", moves)):
        with pytest.raises(LogMovedAwayError, match=known[-1].new_cluster_id):
            lineage(cluster, known)


def test_a_moved_topic_is_as_declared_but_keeps_its_partitions_and_its_retention() -> None:
    old = TopicState("t.runs", 4, 1, {"retention.ms": "5", "segment.bytes": "1"})
    final = finished(old, "t.", 3)
    assert (final.name, final.partitions, final.replication) == ("t.runs", 4, 3)
    assert final.configs == {**topic_configs(RUNS, 3, 3), "retention.ms": "5"}
    control = finished(TopicState("t.control", 1, 1, {}), "t.", 1)
    assert control.configs == topic_configs(CONTROL, 1, 1)
    requests = finished(TopicState("t.requests.abc", 2, 1, {}), "t.", 1)
    assert requests.configs == topic_configs(REQUESTS, 1, 1)
    changelog = TopicState("t.streams-x-changelog", 2, 1, {"cleanup.policy": "compact", "x": "1"})
    assert finished(changelog, "t.", 1).configs == {"cleanup.policy": "compact"}


def test_while_it_is_copied_nothing_is_taken_out_of_a_topic_and_times_are_kept() -> None:
    final = finished(TopicState("t.windows", 1, 1, {}), "t.", 1)
    assert final.configs["cleanup.policy"] == "compact"
    copied = being_copied(final).configs
    assert copied["cleanup.policy"] == "delete"
    assert copied["retention.ms"] == copied["retention.bytes"] == "-1"
    assert copied["message.timestamp.type"] == "CreateTime"
    assert copied["max.message.bytes"] == final.configs["max.message.bytes"]
