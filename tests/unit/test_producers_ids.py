"""Ids of traces and runs: UUIDv7's layout, sorted by time, never all zero."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from tailrace.schemas.ids import id_time_ms, is_id, new_id

TIMES = st.integers(0, 2**48 - 1)


@given(TIMES, st.binary(min_size=10, max_size=10))
def test_an_id_is_a_uuid_of_version_seven_that_tells_its_time(now_ms: int, random: bytes) -> None:
    made = new_id(now_ms, lambda _: random)
    assert is_id(made)
    assert id_time_ms(made) == now_ms
    parsed = uuid.UUID(made)
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)


@given(st.lists(TIMES, min_size=2, max_size=5, unique=True))
def test_ids_sort_by_time(times: list[int]) -> None:
    made = sorted(new_id(each) for each in times)
    assert [id_time_ms(each) for each in made] == sorted(times)


def test_ids_are_unique_within_a_millisecond() -> None:
    assert len({new_id(1) for _ in range(10_000)}) == 10_000


def test_what_is_no_id_is_known() -> None:
    assert not any(map(is_id, ["", "0" * 32, "A" * 32, "a" * 31, "g" * 32]))
