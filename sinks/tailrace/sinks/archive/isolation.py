"""Finds the records that an insert was refused for, so that their neighbours are stored.

An insert that holds one bad record fails whole, with nothing written. First every record is decoded
on its own, which finds corrupt bytes; what is well formed and still refused is found by halving,
with a check that writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic

from tailrace.schemas.wire import WireError, decode
from tailrace.sinks.archive.cutting import R

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tailrace.schemas.catalog import Schema


@dataclass(frozen=True)
class Rejected(Generic[R]):
    """A record that cannot be stored."""

    record: R
    reason: str
    """What is wrong with it, in a sentence."""


def reject_corrupt(schema: Schema, records: Sequence[R]) -> tuple[list[R], list[Rejected[R]]]:
    """Return the records that decode whole as the schema, and those that do not."""
    sound: list[R] = []
    corrupt: list[Rejected[R]] = []
    source = {schema.id: schema}
    for record in records:
        try:
            decode(record.value or b"", source=source)
        except WireError as error:
            corrupt.append(Rejected(record, str(error)))
        else:
            sound.append(record)
    return sound, corrupt


def reject_by_halving(
    records: Sequence[R], refusal: Callable[[Sequence[R]], str | None]
) -> tuple[list[R], list[Rejected[R]]]:
    """Return the records that are refused by nobody, and those that are refused alone.

    Args:
        records: in offset order; so are the answers.
        refusal: says why a portion is refused, None if it is not; asked about 2 * k * log2(n)
            times for k culprits among n records.
    """
    if not records:
        return [], []
    reason = refusal(records)
    if reason is None:
        return list(records), []
    if len(records) == 1:
        return [], [Rejected(records[0], reason)]
    middle = len(records) // 2
    left, rejected_left = reject_by_halving(records[:middle], refusal)
    right, rejected_right = reject_by_halving(records[middle:], refusal)
    return left + right, rejected_left + rejected_right
