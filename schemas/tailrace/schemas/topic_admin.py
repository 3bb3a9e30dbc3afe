"""Creates the declared topics on a broker, checks those that exist, and names every difference.

Safe to run again and by several processes at once: a topic that another one has just created is
checked like any that existed. Nothing is ever deleted, and no partition added.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    KafkaError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

from tailrace.schemas.cluster import describe_cluster, describe_topics
from tailrace.schemas.endpoints import kafka_options
from tailrace.schemas.errors import TailraceError
from tailrace.schemas.topic_settings import (
    STANDING_TOPICS,
    Difference,
    TopicState,
    declare,
    plan,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence

    from tailrace.schemas.topics import Topic

TIMEOUT_S = 60.0
_SETTLE_S = 10.0
_SETTLE_PAUSE_S = 0.05
_SET_ON_THE_TOPIC = 1  # DescribeConfigs v1+: where a setting comes from
_NO_ERROR = 0


class TopicAdminError(TailraceError):
    """The broker could not be asked, or refused what was asked of it."""


@dataclass(frozen=True)
class Applied:
    """What `apply` did and what it left."""

    created: tuple[str, ...]
    """Names of the topics that this call created."""

    altered: tuple[Difference, ...]
    """Differences of settings that this call removed."""

    remaining: tuple[Difference, ...]
    """Differences that remain; empty when all is in order."""


async def apply(
    topics: Iterable[Topic] = STANDING_TOPICS,
    *,
    prefix: str | None = None,
    partitions: int | None = None,
    replication: int | None = None,
    fix: bool = False,
    dry_run: bool = False,
    options: Mapping[str, Any] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Applied:
    """Create what is missing, check the rest, and return what differs.

    Args:
        topics: the declared topics; all but the per-deployment `requests` by default.
        prefix: what names begin with; the configured prefix when None.
        partitions: N; when None 4 on a single broker, else 32.
        replication: copies of each partition; when None three, or as many as there are brokers.
        fix: whether settings that differ are changed; other settings of the topic stay.
        dry_run: whether nothing is created or changed; what would be is in `remaining`.
        options: how to connect, as aiokafka's clients take it; by default `kafka_options()`.
        timeout_s: how long all of it may take.

    Raises:
        TopicAdminError: if the broker does not answer in time or refuses a creation or a change.
    """
    async with _admin(options, timeout_s) as admin:
        brokers = (await describe_cluster(admin)).brokers
        declared = declare(
            topics, brokers=brokers, prefix=prefix, partitions=partitions, replication=replication
        )
        return await bring_about(admin, declared, fix=fix, dry_run=dry_run)


async def bring_about(
    admin: Any, declared: Sequence[TopicState], *, fix: bool = False, dry_run: bool = False
) -> Applied:
    """Do what `apply` does, for topics as they are to be, through a started admin client."""
    names = [topic.name for topic in declared]
    differences = plan(declared, await existing_topics(admin, names))
    if dry_run:
        return Applied((), (), differences)
    missing = {found.topic for found in differences if found.remedy == "create"}
    created = await _create(admin, [topic for topic in declared if topic.name in missing])
    differences = await _until_settled(admin, declared, "create")
    if not fix:
        return Applied(created, (), differences)
    altered = tuple(found for found in differences if found.remedy == "alter")
    await _alter(admin, altered)
    return Applied(created, altered, await _until_settled(admin, declared, "alter"))


async def list_topics(
    topics: Iterable[Topic] = STANDING_TOPICS,
    *,
    prefix: str | None = None,
    options: Mapping[str, Any] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> dict[str, TopicState]:
    """Return those of the topics that exist, by name.

    Raises:
        TopicAdminError: if the broker does not answer in time.
    """
    async with _admin(options, timeout_s) as admin:
        return await existing_topics(admin, [topic.name(prefix) for topic in topics])


async def existing_topics(admin: Any, names: Sequence[str]) -> dict[str, TopicState]:
    """Return those of the named topics that exist, as a started admin client sees them."""
    there = await describe_topics(admin, names)
    if not there:
        return {}
    configs = await _configs(admin, [found["topic"] for found in there])
    return {
        found["topic"]: TopicState(
            found["topic"],
            len(found["partitions"]),
            min(len(partition["replicas"]) for partition in found["partitions"]),
            {key: value for key, (value, _) in configs[found["topic"]].items()},
        )
        for found in there
        if found["error_code"] == _NO_ERROR and found["partitions"] and found["topic"] in configs
    }


@asynccontextmanager
async def _admin(options: Mapping[str, Any] | None, timeout_s: float) -> AsyncGenerator[Any]:
    connection = dict(kafka_options() if options is None else options)
    admin: Any = AIOKafkaAdminClient(**connection)
    try:
        async with asyncio.timeout(timeout_s):
            await admin.start()
            yield admin
    except (KafkaError, TimeoutError) as error:
        raise TopicAdminError(
            f"the topics at {connection['bootstrap_servers']} cannot be looked after: "
            f"{error or 'the broker did not answer in time'}; see whether Kafka runs there"
        ) from error
    finally:
        await admin.close()


async def _create(admin: Any, topics: Sequence[TopicState]) -> tuple[str, ...]:
    if not topics:
        return ()
    new = [
        NewTopic(topic.name, topic.partitions, topic.replication, topic_configs=dict(topic.configs))
        for topic in topics
    ]
    answer = await admin.create_topics(new)
    created: list[str] = []
    for name, code, message in answer.topic_errors:
        if code == _NO_ERROR:
            created.append(name)
        elif for_code(code) is not TopicAlreadyExistsError:
            reason = message or for_code(code).__name__
            raise TopicAdminError(f"the broker refused to create {name}: {reason}")
    return tuple(created)


async def _until_settled(
    admin: Any, declared: Sequence[TopicState], remedy: str
) -> tuple[Difference, ...]:
    """Return the differences once the broker shows what was done; what it never shows remains.

    The controller answers before every broker knows, so what is asked next may be a little old.
    """
    names = [topic.name for topic in declared]
    deadline = asyncio.get_running_loop().time() + _SETTLE_S
    while True:
        differences = plan(declared, await existing_topics(admin, names))
        done = all(found.remedy != remedy for found in differences)
        if done or asyncio.get_running_loop().time() > deadline:
            return differences
        await asyncio.sleep(_SETTLE_PAUSE_S)


async def _alter(admin: Any, differences: Sequence[Difference]) -> None:
    # The request replaces all that is set on a topic, so what is set already is sent along.
    names = sorted({found.topic for found in differences})
    if not names:
        return
    standing = await _configs(admin, names)
    resources: list[ConfigResource] = []
    for name in names:
        if name not in standing:
            raise TopicAdminError(f"the broker does not tell the settings of {name}: ask again")
        configs = {key: value for key, (value, own) in standing[name].items() if own}
        configs |= {found.what: found.declared for found in differences if found.topic == name}
        resources.append(ConfigResource(ConfigResourceType.TOPIC, name, configs=configs))
    for answer in await admin.alter_configs(resources):
        for code, message, _, name in answer.resources:
            if code != _NO_ERROR:
                reason = message or for_code(code).__name__
                raise TopicAdminError(f"the broker refused to change {name}: {reason}")


async def _configs(admin: Any, names: Sequence[str]) -> dict[str, dict[str, tuple[str, bool]]]:
    """Return each topic's settings: value, and whether it is set on the topic itself.

    A topic that the asked broker has not heard of yet is left out, though another listed it.
    """
    found: dict[str, dict[str, tuple[str, bool]]] = {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    for answer in await admin.describe_configs(resources):
        for code, message, _, name, entries in answer.resources:
            if code == UnknownTopicOrPartitionError.errno:
                continue
            if code != _NO_ERROR:
                reason = message or for_code(code).__name__
                raise TopicAdminError(f"the broker does not tell the settings of {name}: {reason}")
            found[name] = {
                entry[0]: (entry[1] or "", entry[3] == _SET_ON_THE_TOPIC) for entry in entries
            }
    return found
