"""The topic `forgotten`: which traces were erased.

It is small and kept for ever, so whoever must not miss a trace or bring it back reads it whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.schemas import topics
from tailrace.schemas.wire import WireError, decode

if TYPE_CHECKING:
    from aiokafka import TopicPartition

    from tailrace.sinks.gaps.log import Log


async def read_forgotten(log: Log, prefix: str) -> frozenset[str]:
    """Return the ids of all erased traces, as the log has them now.

    Raises:
        LogUnreadableError: if the log cannot be read.
    """
    partitions: list[TopicPartition] = await log.partitions([topics.FORGOTTEN.name(prefix)])
    begins, ends = await log.begins(partitions), await log.ends(partitions)
    found: set[str] = set()
    for partition in partitions:
        async for records in log.read(partition, begins[partition], ends[partition]):
            for record in records:
                try:
                    _, fields = decode(record.value or b"")
                except WireError:
                    continue
                found.add(str(fields["trace_id"]))
    return frozenset(found)
