"""The dead letter of a record on `runs` that cannot be folded: raw, with where it lies and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.schemas import dead_letter_log, topics
from tailrace.schemas.dead_letter_log import GivenUp
from tailrace.streams.publisher import Outgoing

if TYPE_CHECKING:
    from tailrace.streams.closing import Source


def letter(
    source: Source,
    offset: int,
    key: bytes | None,
    value: bytes | None,
    *,
    reason: str,
    reader: str,
    prefix: str,
    now_us: int,
) -> Outgoing:
    """Return the record for the dead-letter topic; made again, it is the same letter.

    Args:
        source: the partition that the record lies in.
        offset: its offset.
        key: its key.
        value: its value.
        reason: what is wrong with it, in a sentence.
        reader: the consumer group that gives it up.
        prefix: what the topics' names begin with.
        now_us: microseconds since the epoch.
    """
    given_up = GivenUp(source.log_id, source.topic, source.partition, offset, key, value)
    return Outgoing(
        topics.DEAD_LETTERS.name(prefix),
        source.topic.encode(),
        dead_letter_log.letter(given_up, reader=reader, reason=reason, ts_us=now_us),
        counts_as="dead_letter",
    )
