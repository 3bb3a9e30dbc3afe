"""Which log this is, by what its own `control` says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.schemas import topics
from tailrace.schemas.lineage import Lineage, Move, lineage
from tailrace.schemas.wire import WireError, decode

if TYPE_CHECKING:
    from tailrace.sinks.archive.cutting import LogRecord
    from tailrace.sinks.gaps.log import Log


async def read_lineage(log: Log, cluster_id: str, prefix: str) -> Lineage:
    """Return the lineage of the log; reads `control`, which is small and kept for ever, whole.

    Raises:
        LogMovedAwayError: if it lives on another cluster by now.
        LogUnreadableError: if it cannot be read.
    """
    return lineage(cluster_id, await read_moves(log, prefix))


async def read_moves(log: Log, prefix: str) -> list[Move]:
    """Return every move that `control` tells of, in order; none if there is no such topic."""
    partitions = await log.partitions([topics.CONTROL.name(prefix)])
    begins, ends = await log.begins(partitions), await log.ends(partitions)
    return [
        move
        for partition in partitions
        async for records in log.read(partition, begins[partition], ends[partition])
        for record in records
        if (move := as_move(record)) is not None
    ]


def as_move(record: LogRecord) -> Move | None:
    """Return the move that a record of `control` tells of; None if it is another record."""
    try:
        schema, fields = decode(record.value or b"")
    except WireError:
        return None
    if schema.name != "log_moved":
        return None
    return Move(fields["old_cluster_id"], fields["new_cluster_id"])
