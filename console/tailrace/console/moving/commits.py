"""Consumer groups: what they have committed is committed on the new cluster, texts included.

The archive's texts name ranges that are perhaps inserted; offsets and log id stay what they are, so
the range is sent again there under the token that it had.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from aiokafka import AIOKafkaConsumer, OffsetAndMetadata
from aiokafka.errors import KafkaError

from tailrace.console.moving.errors import MoveFailedError, MoveRefusedError
from tailrace.schemas.consumers import stop_consumer
from tailrace.schemas.names import GROUPS, MIGRATE_LOG

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from aiokafka import TopicPartition

    from tailrace.console.moving.side import Side

Commits = dict[str, dict["TopicPartition", Any]]
"""By group: its commits."""


async def moved_groups(old: Side, names: Collection[str], prefix: str) -> Commits:
    """Return the commits of every group on the topics, but for those of an earlier move."""
    found = await old.commits(names)
    found.pop(MIGRATE_LOG.name(prefix), None)
    return found


async def require_nobody_reads(old: Side, new: Side, groups: Collection[str], prefix: str) -> None:
    """Refuse while any of the groups, or of the declared ones, has members on either side.

    Raises:
        MoveRefusedError: naming the groups.
    """
    asked = {*groups, *(group.name(prefix) for group in GROUPS)}
    for side, where in ((old, "old"), (new, "new")):
        members = await side.members(asked)
        if members:
            named = ", ".join(f"{group} ({number})" for group, number in members.items())
            raise MoveRefusedError(
                f"somebody reads from the {where} cluster, as members of {named}: stop the sinks "
                "and all other readers first, and start them again after the switch; what comes "
                "meanwhile waits in the log"
            )


async def move_commits(commits: Commits, new: Side) -> None:
    """Commit on the new cluster what the groups have committed, and see that it stands there.

    Raises:
        MoveFailedError: if it does not.
    """
    for group, wanted in commits.items():
        standing = await new.commits_of(group)
        missing = {
            partition: entry
            for partition, entry in wanted.items()
            if standing.get(partition) != entry
        }
        if missing:
            await commit(new, group, missing)
        standing = await new.commits_of(group)
        for partition, entry in wanted.items():
            if standing.get(partition) != entry:
                raise MoveFailedError(
                    f"the commit of {group} for {partition.topic}-{partition.partition} does not "
                    "stand on the new cluster: see whether somebody else uses that group there"
                )


async def commit(side: Side, group: str, commits: Mapping[TopicPartition, Any]) -> None:
    """Commit for a group that has no members.

    Raises:
        MoveFailedError: if the coordinator refuses it.
    """
    consumer = cast("Any", AIOKafkaConsumer)(**side.kafka, group_id=group, enable_auto_commit=False)
    try:
        await consumer.start()
        consumer.assign(list(commits))
        told = {
            tp: OffsetAndMetadata(entry.offset, entry.metadata) for tp, entry in commits.items()
        }
        await side.ask(lambda: consumer.commit(told))
    except KafkaError as error:
        raise MoveFailedError(
            f"the new cluster did not take the commits of {group}: {error!r}; see whether somebody "
            "uses that group there, and run this again"
        ) from error
    finally:
        await stop_consumer(consumer)
