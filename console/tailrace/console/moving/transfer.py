"""Copies and compares stretches of both clusters, and counts what it did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tailrace.console.moving.appending import producer_id
from tailrace.console.moving.comparing import compare_partition
from tailrace.console.moving.copying import copy_partition
from tailrace.console.moving.errors import MoveFailedError
from tailrace.console.moving.progress import ComparedTo
from tailrace.console.moving.stretches import go_through, length
from tailrace.schemas.topic_admin import bring_about

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aiokafka import TopicPartition

    from tailrace.console.moving.comparing import Compared
    from tailrace.console.moving.plan import Plan
    from tailrace.console.moving.side import Side
    from tailrace.console.moving.stretches import Stretch
    from tailrace.schemas.topic_settings import TopicState
    from tailrace.sinks.gaps.log import Log


@dataclass
class Amounts:
    """What was done to both clusters' records."""

    copied: int = 0
    """Offsets that were written to the new cluster, fillers included."""

    fillers: int = 0
    """Of these, the ones at which the old cluster has no record."""

    records: int = 0
    """Records that were compared and are equal."""

    compared: dict[TopicPartition, Compared] = field(default_factory=dict[Any, Any])
    """What was compared last of each partition."""


class Transfer:
    """What is done to stretches of partitions.

    Args:
        old: the cluster that is moved from.
        new: the one that is moved to.
        prefix: what the topics' names begin with.
        on_progress: called with what is done now, offsets done and offsets to do.
    """

    def __init__(
        self, old: Side, new: Side, prefix: str, on_progress: Callable[[str, int, int], None]
    ) -> None:
        self.amounts = Amounts()
        self.compared_to: dict[TopicPartition, int] = {}
        """Up to where each partition is known to be equal."""

        self._old = old
        self._new = new
        self._on_progress = on_progress
        self._producer = producer_id(old.cluster_id, new.cluster_id)
        self._remembered = ComparedTo(old, new, prefix)

    async def begin(self) -> None:
        """Read what an earlier call has compared."""
        self.compared_to = await self._remembered.read()

    async def copy(self, plan: Plan, stretches: Mapping[TopicPartition, Stretch]) -> None:
        """Copy stretches, each from the new partition's end on."""
        report = self._reporter("copying", length(stretches))

        async def work(partition: TopicPartition, stretch: Stretch, logs: list[Log]) -> None:
            fillers = await copy_partition(
                logs[0],
                self._new,
                partition,
                begin=plan.old[partition].begin,
                end=stretch[1],
                producer=self._producer,
                on_progress=report,
            )
            self.amounts.fillers += fillers  # others count too, so not across an await
            self.amounts.copied += stretch[1] - stretch[0]

        await go_through(stretches, [self._old], work)

    async def compare(self, plan: Plan, stretches: Mapping[TopicPartition, Stretch]) -> None:
        """Compare stretches, and remember those that are equal."""
        report = self._reporter("comparing", length(stretches))
        equal: dict[TopicPartition, int] = {}

        async def work(partition: TopicPartition, stretch: Stretch, logs: list[Log]) -> None:
            compacts = partition.topic in plan.compacted
            old, new = logs
            found = await compare_partition(old, new, partition, stretch, report, compacts=compacts)
            self.amounts.compared[partition] = found
            self.amounts.records += found.records
            equal[partition] = stretch[1]

        await go_through(stretches, [self._old, self._new], work)
        self.compared_to |= equal
        await self._remembered.write(equal)

    async def set(self, states: Sequence[TopicState]) -> None:
        """Have topics of the new cluster be as told; they are created where they are missing."""
        applied = await bring_about(self._new.admin, states, fix=True)
        # How many copies a partition has is decided by people where the topic exists.
        left = [found for found in applied.remaining if found.what != "replication"]
        if left:
            raise MoveFailedError(f"the new cluster does not do what it was told: {left[0]}")

    def _reporter(self, what: str, total: int) -> Callable[[int], None]:
        done = 0

        def report(offsets: int) -> None:
            nonlocal done
            done += offsets
            self._on_progress(what, done, total)

        return report
