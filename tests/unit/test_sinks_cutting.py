from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from tailrace.sinks.archive.cutting import Cutter, Limits, Range


@dataclass(frozen=True)
class Record:
    offset: int
    size: int = 1
    timestamp: int = 0
    key: bytes | None = None

    @property
    def value(self) -> bytes:
        return b"x" * self.size


GAPS = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 12)), max_size=80)
LIMITS = st.builds(Limits, st.integers(1, 20), st.integers(1, 60))


def log_of(gaps: list[tuple[int, int]]) -> list[Record]:
    records: list[Record] = []
    offset = 0
    for gap, size in gaps:
        offset += gap
        records.append(Record(offset - 1, size))
    return records


def cut(
    records: list[Record], limits: Limits, portions: list[int], pending: Range | None = None
) -> list[tuple[Range, tuple[Record, ...]]]:
    cutter: Cutter[Record] = Cutter(0, pending, limits)
    rest = list(records)
    for portion in [*portions, len(rest)]:
        cutter.feed(rest[:portion])
        del rest[:portion]
    cutter.flush()
    blocks: list[tuple[Range, tuple[Record, ...]]] = []
    while (block := cutter.take()) is not None:
        assert block.size_bytes == sum(record.size for record in block.records)
        blocks.append((block.range, tuple(block.records)))
    return blocks


@given(GAPS, LIMITS, st.lists(st.integers(1, 30)))
def test_blocks_are_the_same_whatever_the_portions(
    gaps: list[tuple[int, int]], limits: Limits, portions: list[int]
) -> None:
    records = log_of(gaps)
    assert cut(records, limits, portions) == cut(records, limits, [])


@given(GAPS, LIMITS, st.lists(st.integers(1, 30)))
def test_blocks_join_without_a_gap_and_hold_each_record_once(
    gaps: list[tuple[int, int]], limits: Limits, portions: list[int]
) -> None:
    records = log_of(gaps)
    expected = 0
    held: list[Record] = []
    for found, inside in cut(records, limits, portions):
        assert found.first == expected
        assert all(found.first <= record.offset <= found.last for record in inside)
        assert inside
        expected = found.last + 1
        held += inside
    assert held == records


@given(GAPS, LIMITS)
def test_no_block_is_larger_than_told(gaps: list[tuple[int, int]], limits: Limits) -> None:
    for _, inside in cut(log_of(gaps), limits, []):
        assert len(inside) <= limits.offsets
        strides = {record.offset // limits.offsets for record in inside}
        assert len(strides) == 1
        assert sum(record.size for record in inside[:-1]) < limits.size_bytes


@given(GAPS, LIMITS, st.integers(0, 40), st.lists(st.integers(1, 30)))
def test_a_pending_range_comes_first_and_whole(
    gaps: list[tuple[int, int]], limits: Limits, last: int, portions: list[int]
) -> None:
    records = log_of(gaps)
    pending = Range(0, last)
    blocks = cut(records, limits, portions, pending)
    inside = tuple(record for record in records if record.offset <= last)
    if records and records[-1].offset >= last:
        assert blocks[0] == (pending, inside)
    else:
        assert blocks == []
