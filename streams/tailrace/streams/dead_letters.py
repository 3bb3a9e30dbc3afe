"""The dead letter of a record on `runs` that cannot be folded: raw, with where it lies and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.schemas import topics
from tailrace.schemas.catalog import latest
from tailrace.schemas.wire import encode
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
    record = {
        "source_log_id": source.log_id,
        "source_topic": source.topic,
        "source_partition": source.partition,
        "source_offset": offset,
        "ts": now_us,
        "reader": reader,
        "reason": reason,
        "key": key,
        "value": value,
    }
    return Outgoing(
        topics.DEAD_LETTERS.name(prefix),
        source.topic.encode(),
        encode(latest("dead_letter"), record),
        counts_as="dead_letter",
    )
