"""The whole move: look, compare what is there, copy the rest, compare it, and at last switch.

Everything up to the switch may be done while the old cluster is in use, as often as one likes, and
may be killed anywhere: the next call looks at both clusters and goes on. The switch needs an old
cluster that stands still. Its steps leave the new log without the record that says it moved there;
that one is copied last, so a sink begins there only when all is in its place.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiokafka.errors import KafkaError

from tailrace.console.moving.commits import move_commits, moved_groups, require_nobody_reads
from tailrace.console.moving.errors import MoveFailedError, MoveRefusedError
from tailrace.console.moving.plan import NOTHING, look
from tailrace.console.moving.sealing import publish_schema, seal
from tailrace.console.moving.settings import being_copied
from tailrace.console.moving.side import open_side
from tailrace.console.moving.stretches import length
from tailrace.console.moving.transfer import Transfer
from tailrace.schemas import topics

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from aiokafka import TopicPartition

    from tailrace.console.moving.commits import Commits
    from tailrace.console.moving.plan import Plan
    from tailrace.console.moving.side import Side
    from tailrace.console.moving.stretches import Stretch
    from tailrace.console.moving.transfer import Amounts
    from tailrace.schemas.topic_settings import TopicState

ROUNDS = 5
"""How often what came meanwhile is copied before the old cluster counts as in use."""


@dataclass
class Moved:
    """What a call did."""

    plan: Plan
    """Both clusters at its end."""

    amounts: Amounts
    """What was copied and compared."""

    groups: tuple[str, ...] = ()
    """The consumer groups whose commits were moved."""

    switched: bool = False
    """Whether the log lives on the new cluster now, by this call or an earlier one."""


async def plan_move(
    old: Mapping[str, Any], new: Mapping[str, Any], prefix: str
) -> tuple[Plan, Commits]:
    """Return what a move would have to do, and the commits that it would move; changes nothing.

    Raises:
        MoveRefusedError: if the log cannot be moved there.
        MoveFailedError: if a cluster does not answer.
    """
    async with _both(old, new) as (source, target):
        plan = await look(source, target, prefix)
        names = [topic.name for topic in plan.topics]
        return plan, await moved_groups(source, names, prefix)


async def move_log(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    prefix: str,
    *,
    switch: bool,
    on_progress: Callable[[str, int, int], None] = lambda _, __, ___: None,
    tell: Callable[[str], None] = lambda _: None,
) -> Moved:
    """Copy the log to the new cluster and compare it there; with `switch` have it live there.

    A second time it does what is left to do, and nothing if that is nothing.

    Args:
        old: connection arguments of aiokafka for the cluster that the log lives on.
        new: the same for the one it is to live on.
        prefix: what the topics' names begin with.
        switch: whether the log is to live there from now on.
        on_progress: called with what is done now, offsets done and offsets to do.
        tell: called with sentences about what was noticed.

    Raises:
        MoveRefusedError: if it cannot be moved as things stand; it lives where it did.
        MoveFailedError, LogUnreadableError: if a cluster does not do its part.
    """
    async with _both(old, new) as (source, target):
        mover = _Mover(source, target, prefix, on_progress, tell)
        return await mover.move(switch=switch)


@asynccontextmanager
async def _both(
    old: Mapping[str, Any], new: Mapping[str, Any]
) -> AsyncGenerator[tuple[Side, Side]]:
    async with open_side(old) as source, open_side(new) as target:
        try:
            yield source, target
        except KafkaError as error:
            raise MoveFailedError(
                f"a cluster did not answer as it must: {error!r}; see whether both are well and "
                "run this again, it goes on where it stopped"
            ) from error


class _Mover:
    def __init__(
        self,
        old: Side,
        new: Side,
        prefix: str,
        on_progress: Callable[[str, int, int], None],
        tell: Callable[[str], None],
    ) -> None:
        self._old = old
        self._new = new
        self._prefix = prefix
        self._tell = tell
        self._transfer = Transfer(old, new, prefix, on_progress)
        self._control = topics.CONTROL.name(prefix)
        self._done: Moved

    async def move(self, *, switch: bool) -> Moved:
        await self._transfer.begin()
        plan = await self._look()
        self._done = Moved(plan, self._transfer.amounts)
        if plan.stage == "moved":
            await self._look_back(plan)
            return self._done
        if switch:
            await self._require_nobody_reads(plan)
        # Before anything is written there: what is there must be a copy.
        await self._transfer.compare(plan, plan.standing(self._transfer.compared_to))
        await self._transfer.set([being_copied(topic) for topic in plan.topics])
        if switch:
            await publish_schema(self._old, self._prefix)
            await self._switch()
        else:
            self._done.plan = await self._copy_rest()
        return self._done

    async def _look(self) -> Plan:
        return await look(self._old, self._new, self._prefix)

    async def _copy_rest(self) -> Plan:
        """Copy and compare until a look finds nothing left, or the rounds are over.

        Once the log is sealed, `control` is left out: its rest comes last.
        """
        plan = await self._look()
        for number in range(ROUNDS):
            missing = self._but_control_if_sealed(plan, plan.missing())
            left = self._but_control_if_sealed(plan, plan.standing(self._transfer.compared_to))
            if not length(missing) and not length(left):
                break
            if number and length(missing):
                self._tell(f"{length(missing):,} offsets came meanwhile and are copied too")
            await self._transfer.set([being_copied(topic) for topic in plan.uncreated])
            await self._transfer.copy(plan, missing)
            plan = await self._look()
            left = self._but_control_if_sealed(plan, plan.standing(self._transfer.compared_to))
            await self._transfer.compare(plan, left)
        return plan

    def _but_control_if_sealed(
        self, plan: Plan, stretches: Mapping[TopicPartition, Stretch]
    ) -> dict[TopicPartition, Stretch]:
        return {
            partition: stretch
            for partition, stretch in stretches.items()
            if plan.stage == "here" or partition.topic != self._control
        }

    async def _switch(self) -> None:
        for _ in range(ROUNDS):
            plan = await self._copy_rest()
            self._require_still(plan)
            groups = await self._require_nobody_reads(plan)
            others = [topic for topic in plan.topics if topic.name != self._control]
            await self._finish(plan, others)
            await move_commits(groups, self._new)
            if plan.stage == "here":
                await seal(self._old, self._new, self._prefix)
            plan = await self._look()
            late = length(self._but_control_if_sealed(plan, plan.missing()))
            if not late and not plan.held_back:
                await self._copy_control(plan)
                self._done.groups = tuple(groups)
                return
            self._tell(f"{late:,} offsets came during the switch and are copied too")
            await self._transfer.set([being_copied(topic) for topic in plan.topics])
        raise MoveRefusedError(
            "something writes to the old cluster again and again: stop all agents and readers and "
            "run this again; it is not switched yet"
        )

    async def _copy_control(self, plan: Plan) -> None:
        """Copy what is left of `control`, its last record included, which is the switch itself."""
        of_control = [tp for tp in plan.old if tp.topic == self._control]
        await self._transfer.copy(plan, {tp: plan.missing()[tp] for tp in of_control})
        plan = await self._look()
        stretches = plan.standing(self._transfer.compared_to)
        await self._transfer.compare(plan, {tp: stretches[tp] for tp in of_control})
        await self._finish(plan, [each for each in plan.topics if each.name == self._control])
        self._done.plan = await self._look()
        self._done.switched = True

    async def _look_back(self, plan: Plan) -> None:
        """See that an earlier switch is finished, and that nothing was left behind since."""
        self._done.switched = True
        await self._transfer.set([topic for topic in plan.topics if topic.name == self._control])
        stretches: dict[TopicPartition, Stretch] = {}
        for partition, span in plan.old.items():
            there = plan.new.get(partition, NOTHING)
            if span.end > there.end:
                raise MoveRefusedError(self._left_behind(partition, there.end, span.end))
            # What was equal then may have been compacted or expired since, on either side.
            first = self._transfer.compared_to.get(partition)
            if first is not None:
                stretches[partition] = (max(first, span.begin, there.begin), span.stable)
        try:
            await self._transfer.compare(plan, stretches)
        except MoveRefusedError as error:
            raise MoveRefusedError(
                f"the log lives on the cluster {self._new.cluster_id}, and something was written "
                f"to the old one since ({error})"
            ) from error

    def _left_behind(self, partition: TopicPartition, first: int, end: int) -> str:
        return (
            f"the log lives on the cluster {self._new.cluster_id}, and something was written to "
            f"{partition.topic}-{partition.partition} of the old one since, offsets {first} to "
            f"{end - 1}: they are in nobody's tables; point whoever wrote them at the new cluster "
            "and stop the old one"
        )

    async def _finish(self, plan: Plan, finals: list[TopicState]) -> None:
        """Give topics that are copied whole their beginnings and their settings."""
        names = {topic.name for topic in finals}
        await self._new.delete_below(
            {
                partition: span.begin
                for partition, span in plan.old.items()
                if partition.topic in names and span.begin > plan.new[partition].begin
            }
        )
        await self._transfer.set(finals)

    async def _require_nobody_reads(self, plan: Plan) -> Commits:
        names = [topic.name for topic in plan.topics]
        groups = await moved_groups(self._old, names, self._prefix)
        await require_nobody_reads(self._old, self._new, groups, self._prefix)
        return groups

    def _require_still(self, plan: Plan) -> None:
        if plan.held_back:
            first = plan.held_back[0]
            raise MoveRefusedError(
                f"a transaction is open on {first.topic}-{first.partition} of the old cluster: "
                "stop who writes it, wait until it has ended or its time is up, and run this again"
            )
        missing = self._but_control_if_sealed(plan, plan.missing())
        moving = [tp for tp, (first, end) in missing.items() if first < end]
        if moving:
            raise MoveRefusedError(
                f"something still writes to {moving[0].topic}-{moving[0].partition} of the old "
                "cluster: stop all agents and readers and run this again; what there is was copied"
            )
