from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tailrace.sinks.gaps.ranges import Missing, missing_from, missing_seqs

NUMBERS = st.sets(st.integers(0, 60))


def spelled_out(missing: Missing) -> list[int]:
    return [n for found in missing.ranges for n in range(found.first, found.last + 1)]


@given(expected=NUMBERS, stored=NUMBERS)
def test_exactly_what_is_expected_and_not_stored_is_missing(
    expected: set[int], stored: set[int]
) -> None:
    missing = missing_from(sorted(expected), stored)
    assert spelled_out(missing) == sorted(expected - stored)
    assert missing.count == len(expected - stored)
    assert missing.whole


@given(expected=NUMBERS, stored=NUMBERS)
def test_ranges_ascend_and_no_two_touch(expected: set[int], stored: set[int]) -> None:
    ranges = missing_from(sorted(expected), stored).ranges
    assert all(one.last + 1 < other.first for one, other in pairwise(ranges))


@given(expected=st.lists(st.integers(0, 40), unique=True).map(sorted), cut=st.integers(0, 40))
def test_portions_add_up_to_the_whole(expected: list[int], cut: int) -> None:
    in_portions, at_once = Missing(), Missing()
    in_portions.add(expected[:cut])
    in_portions.add(expected[cut:])
    at_once.add(expected)
    assert in_portions.ranges == at_once.ranges
    assert in_portions.count == at_once.count


@given(stored=st.lists(st.integers(0, 60)), last_seq=st.none() | st.integers(0, 60))
def test_a_run_lacks_every_seq_up_to_its_last_that_is_not_stored(
    stored: list[int], last_seq: int | None
) -> None:
    end = max([*stored, -1 if last_seq is None else last_seq])
    missing = missing_seqs(stored, last_seq)
    assert set(spelled_out(missing)) == set(range(end + 1)) - set(stored)


@given(numbers=st.sets(st.integers(0, 60)), kept=st.integers(1, 5))
def test_more_ranges_than_are_kept_are_counted_and_said_to_be_left_out(
    numbers: set[int], kept: int
) -> None:
    missing, every = Missing(kept), Missing()
    missing.add(sorted(numbers))
    every.add(sorted(numbers))
    assert missing.count == len(numbers)
    assert missing.whole == (len(every.ranges) <= kept)
    assert missing.ranges == every.ranges[:kept]
