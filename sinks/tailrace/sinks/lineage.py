"""Which log this is, by what its own `control` says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.schemas import topics
from tailrace.schemas.lineage import Lineage, Move, as_move, lineage

if TYPE_CHECKING:
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
        if (move := as_move(record.value)) is not None
    ]
