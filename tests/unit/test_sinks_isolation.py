from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from tailrace.schemas.catalog import latest
from tailrace.schemas.wire import encode
from tailrace.sinks.archive.isolation import reject_by_halving, reject_corrupt

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Record:
    offset: int
    value: bytes | None = None
    timestamp: int = 0
    key: bytes | None = None


@given(st.integers(0, 60), st.sets(st.integers(0, 59)))
def test_halving_finds_exactly_the_culprits(size: int, culprits: set[int]) -> None:
    records = [Record(offset) for offset in range(size)]

    def refusal(portion: Sequence[Record]) -> str | None:
        return "refused" if culprits & {record.offset for record in portion} else None

    sound, rejected = reject_by_halving(records, refusal)

    assert [record.offset for record in sound] == [n for n in range(size) if n not in culprits]
    assert [found.record.offset for found in rejected] == sorted(culprits & set(range(size)))


def test_corrupt_records_are_told_from_sound_ones() -> None:
    schema = latest("journal_event")
    whole = encode(schema, {"run_id": "a" * 32, "input": "{}"})
    records = [Record(0, whole), Record(1, whole[:-3]), Record(2, whole), Record(3, whole + b"x")]

    sound, corrupt = reject_corrupt(schema, records)

    assert [record.offset for record in sound] == [0, 2]
    assert [found.record.offset for found in corrupt] == [1, 3]
    assert "1 bytes follow" in corrupt[1].reason
