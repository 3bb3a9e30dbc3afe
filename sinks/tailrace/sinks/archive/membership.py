"""Commits under one membership of the group, and under no other.

aiokafka makes a commit's request with the membership that it has at that moment. Once the group has
thrown it out that is none, and a group without members takes a commit of nobody's: a sink that
slept while its successor finished and left would set the offsets back to where it fell asleep, and
store what follows in other ranges once more. So a commit is bound to the generation and the member
that the partitions were assigned to, and is not sent once these are not what aiokafka holds.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiokafka.errors import IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError

from tailrace.sinks.archive.lane import PartitionLostError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiokafka import OffsetAndMetadata, TopicPartition

_THROWN_OUT = (IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError)


class Membership:
    """What the group's coordinator gave a consumer when it assigned partitions.

    To be made within the rebalance listener, before anything else can change it.
    """

    def __init__(self, consumer: Any) -> None:
        """Note the membership of a started consumer of aiokafka that has a group."""
        self._coordinator: Any = vars(consumer)["_coordinator"]
        self._held = self._now()

    async def commit(self, what: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        """Commit; goes on to its end in the background if it is cancelled.

        Raises:
            PartitionLostError: if the membership is over; nothing was committed.
            KafkaError: if the broker does not answer, or refuses for another reason.
        """
        await self._coordinator.ensure_coordinator_known()
        await asyncio.shield(self._send(what))

    async def _send(self, what: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        # Between this look and the making of the request, which is what aiokafka's private method
        # does first, nothing is awaited. Its public one may wait, and sends with what it has then.
        if self._now() != self._held:
            raise PartitionLostError
        try:
            await self._coordinator._do_commit_offsets(None, what)  # noqa: SLF001
        except _THROWN_OUT as error:
            raise PartitionLostError from error

    def _now(self) -> tuple[int, str]:
        return self._coordinator.generation, self._coordinator.member_id
