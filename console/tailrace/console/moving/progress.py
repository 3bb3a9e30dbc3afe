"""What the move remembers between its calls: how far both clusters were compared.

It lies at the new cluster, as commits of a group of its own. Losing it costs comparing again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiokafka import OffsetAndMetadata

from tailrace.console.moving.commits import commit
from tailrace.schemas.names import MIGRATE_LOG

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiokafka import TopicPartition

    from tailrace.console.moving.side import Side


class ComparedTo:
    """Up to where each partition is known to be equal.

    Args:
        old: the cluster that is moved from; what is known of another one is nothing.
        new: where it is kept.
        prefix: what the group's name begins with.
    """

    def __init__(self, old: Side, new: Side, prefix: str) -> None:
        self._mark = f"1 compared with {old.cluster_id}"
        self._new = new
        self._group = MIGRATE_LOG.name(prefix)

    async def read(self) -> dict[TopicPartition, int]:
        """Return the offset below which each partition is equal; left out where none is known."""
        found = await self._new.commits_of(self._group)
        return {tp: entry.offset for tp, entry in found.items() if entry.metadata == self._mark}

    async def write(self, compared_to: Mapping[TopicPartition, int]) -> None:
        """Remember."""
        if compared_to:
            told = {tp: OffsetAndMetadata(offset, self._mark) for tp, offset in compared_to.items()}
            await commit(self._new, self._group, told)
