"""What is to be moved, as both clusters are now, and why it may not be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tailrace.console.moving.errors import MoveRefusedError
from tailrace.console.moving.sealing import moves_of
from tailrace.console.moving.settings import finished
from tailrace.console.moving.side import Span
from tailrace.schemas import topics

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aiokafka import TopicPartition

    from tailrace.console.moving.side import Side
    from tailrace.console.moving.stretches import Stretch
    from tailrace.schemas.lineage import Move
    from tailrace.schemas.topic_settings import TopicState

Stage = Literal["here", "sealed", "moved"]
"""Where the log is: only on the old cluster; the old one says it moved; so does the new one."""

NOTHING = Span(0, 0, 0)
"""A partition that a cluster does not have."""


@dataclass(frozen=True)
class Plan:
    """Both clusters as they were looked at."""

    stage: Stage
    """How far an earlier move between the two has come."""

    topics: tuple[TopicState, ...]
    """The topics as they are to be in the end."""

    compacted: frozenset[str]
    """The topics that the old cluster compacts, by name."""

    old: Mapping[TopicPartition, Span]
    """Every partition of the old log."""

    new: Mapping[TopicPartition, Span] = field(repr=False)
    """Those of them that the new cluster has."""

    def missing(self) -> dict[TopicPartition, Stretch]:
        """Return what is to be copied: from the new partition's end to the old one's."""
        return {tp: (self.new.get(tp, NOTHING).end, span.stable) for tp, span in self.old.items()}

    def standing(self, compared_to: Mapping[TopicPartition, int]) -> dict[TopicPartition, Stretch]:
        """Return what is on both and was not compared yet."""
        return {
            tp: (
                max(compared_to.get(tp, 0), span.begin),
                min(self.new.get(tp, NOTHING).end, span.stable),
            )
            for tp, span in self.old.items()
        }

    @property
    def uncreated(self) -> list[TopicState]:
        """Topics that the new cluster does not have."""
        there = {partition.topic for partition in self.new}
        return [topic for topic in self.topics if topic.name not in there]

    @property
    def below_beginnings(self) -> int:
        """Fillers that are written only to be deleted, as offsets are counted from 0."""
        return sum(
            max(0, span.begin - self.new.get(tp, NOTHING).end) for tp, span in self.old.items()
        )

    @property
    def held_back(self) -> list[TopicPartition]:
        """Partitions of which open transactions hold something back."""
        return [tp for tp, span in self.old.items() if span.stable < span.end]


async def look(old: Side, new: Side, prefix: str) -> Plan:
    """Look at both clusters.

    Raises:
        MoveRefusedError: if this log cannot be moved there.
    """
    if old.cluster_id == new.cluster_id:
        raise MoveRefusedError(
            f"both addresses are of the cluster {old.cluster_id}: name another one to move to"
        )
    here = await old.topics(prefix)
    if topics.CONTROL.name(prefix) not in here:
        raise MoveRefusedError(
            f"the old cluster has no topic {topics.CONTROL.name(prefix)}, so no log under this "
            "prefix: check --from and TAILRACE_PREFIX"
        )
    stage = _stage(await moves_of(old, prefix), await moves_of(new, prefix), old, new)
    there = await new.topics(prefix)
    _require_partitions(here.values(), there)
    plan = Plan(
        stage,
        tuple(finished(here[name], prefix, new.brokers) for name in sorted(here)),
        frozenset(
            name for name in here if "compact" in here[name].configs.get("cleanup.policy", "")
        ),
        await old.spans(sorted(here)),
        await new.spans(sorted(here)),
    )
    if stage != "moved":
        _require_copies(plan)
    return plan


def _stage(here: list[Move], there: list[Move], old: Side, new: Side) -> Stage:
    lives_on = here[-1].new_cluster_id if here else old.cluster_id
    if lives_on not in (old.cluster_id, new.cluster_id):
        raise MoveRefusedError(
            f"the log at the old cluster moved to the cluster {lives_on} before: move it from there"
        )
    if there[: len(here)] != here[: len(there)] or (
        lives_on == old.cluster_id and len(there) > len(here)
    ):
        raise MoveRefusedError(
            "the new cluster holds a log with a history of its own: move to another cluster, or "
            "delete the topics there if nobody needs them"
        )
    if lives_on == old.cluster_id:
        return "here"
    return "moved" if len(there) >= len(here) else "sealed"


def _require_partitions(here: Iterable[TopicState], there: Mapping[str, TopicState]) -> None:
    for topic in here:
        found = there.get(topic.name)
        if found is not None and found.partitions != topic.partitions:
            raise MoveRefusedError(
                f"{topic.name} has {topic.partitions} partitions, and {found.partitions} on the "
                "new cluster: delete it there, and it is created as it must be"
            )


def _require_copies(plan: Plan) -> None:
    for partition, there in plan.new.items():
        here, name = plan.old[partition], f"{partition.topic}-{partition.partition}"
        if there.end > here.end:
            raise MoveRefusedError(
                f"{name} ends at {there.end} on the new cluster and at {here.end} on the old one, "
                "so it holds other records: delete the topic there if nobody needs it, or move to "
                "another cluster or prefix"
            )
        if there.begin > here.begin:
            raise MoveRefusedError(
                f"{name} begins at {there.begin} on the new cluster and at {here.begin} on the old "
                "one: what lies between was deleted there, so delete the topic and run this again"
            )
