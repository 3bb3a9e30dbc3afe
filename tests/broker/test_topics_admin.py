"""Topics are created, checked, and changed only when asked, on a real broker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tailrace.schemas.topic_admin import Applied, TopicAdminError, apply, list_topics
from tailrace.schemas.topic_settings import STANDING_TOPICS
from tailrace.schemas.topics import CONTROL, RUNS, SCHEMAS, STEPS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def run_with_admin(kafka: str, act: Callable[[Any], Awaitable[Any]]) -> None:
    async def scenario() -> None:
        admin: Any = AIOKafkaAdminClient(bootstrap_servers=kafka)
        await admin.start()
        try:
            await act(admin)
        finally:
            await admin.close()

    asyncio.run(scenario())


def applied(kafka: str, prefix: str, **how: Any) -> Applied:
    return asyncio.run(apply(prefix=prefix, options={"bootstrap_servers": kafka}, **how))


def test_all_topics_are_created_as_declared_and_a_second_time_nothing_is_left_to_do(
    kafka: str, topic_prefix: str
) -> None:
    first = applied(kafka, topic_prefix)
    assert first.created == tuple(topic.name(topic_prefix) for topic in STANDING_TOPICS)
    assert first.remaining == ()
    assert applied(kafka, topic_prefix) == Applied((), (), ())
    states = asyncio.run(list_topics(prefix=topic_prefix, options={"bootstrap_servers": kafka}))
    partitions = {name.removeprefix(topic_prefix): s.partitions for name, s in states.items()}
    assert (partitions["runs"], partitions["control"]) == (4, 1)
    assert states[SCHEMAS.name(topic_prefix)].configs["cleanup.policy"] == "compact"


def test_two_processes_at_once_both_end_in_order(kafka: str, topic_prefix: str) -> None:
    async def both() -> list[Applied]:
        options = {"bootstrap_servers": kafka}
        return await asyncio.gather(
            *(apply(prefix=topic_prefix, options=options) for _ in range(3))
        )

    results = asyncio.run(both())
    assert [result.remaining for result in results] == [(), (), ()]
    created = [name for result in results for name in result.created]
    assert sorted(created) == sorted(topic.name(topic_prefix) for topic in STANDING_TOPICS)


def test_a_dry_run_says_what_is_missing_and_creates_nothing(kafka: str, topic_prefix: str) -> None:
    for _ in range(2):
        result = applied(kafka, topic_prefix, topics=[RUNS, STEPS], dry_run=True)
        assert result.created == ()
        assert [str(difference) for difference in result.remaining] == [
            f"{topic_prefix}runs does not exist",
            f"{topic_prefix}steps does not exist",
        ]


def test_too_few_partitions_are_named_and_never_added(kafka: str, topic_prefix: str) -> None:
    applied(kafka, topic_prefix, topics=[RUNS], partitions=2)
    for fix in (False, True):
        result = applied(kafka, topic_prefix, topics=[RUNS, CONTROL], partitions=3, fix=fix)
        (difference,) = result.remaining
        assert (difference.what, difference.existing, difference.declared) == (
            "partitions",
            "2",
            "3",
        )


def test_settings_that_differ_are_reported_and_changed_only_when_asked(
    kafka: str, topic_prefix: str
) -> None:
    name = RUNS.name(topic_prefix)
    theirs = {"retention.ms": "3600000", "flush.messages": "1000"}
    run_with_admin(
        kafka, lambda admin: admin.create_topics([NewTopic(name, 4, 1, topic_configs=theirs)])
    )
    reported = applied(kafka, topic_prefix, topics=[RUNS])
    assert reported.altered == ()
    named = {difference.what: difference.existing for difference in reported.remaining}
    assert named["retention.ms"] == "3600000"
    assert named["message.timestamp.type"] == "CreateTime"
    assert applied(kafka, topic_prefix, topics=[RUNS]).remaining == reported.remaining

    fixed = applied(kafka, topic_prefix, topics=[RUNS], fix=True)
    assert (fixed.altered, fixed.remaining) == (reported.remaining, ())
    assert applied(kafka, topic_prefix, topics=[RUNS]).remaining == ()

    async def what_was_theirs_stays(admin: Any) -> None:
        asked = ConfigResource(ConfigResourceType.TOPIC, name, configs={"flush.messages": ""})
        (answer,) = await admin.describe_configs([asked])
        assert answer.resources[0][4][0][1] == "1000"

    run_with_admin(kafka, what_was_theirs_stays)


def test_a_creation_that_the_broker_refuses_is_said(kafka: str, topic_prefix: str) -> None:
    with pytest.raises(TopicAdminError, match=f"refused to create {topic_prefix}runs: .*[Rr]epl"):
        applied(kafka, topic_prefix, topics=[RUNS], replication=9)


def test_an_unreachable_broker_is_said_with_its_address() -> None:
    with pytest.raises(TopicAdminError, match=r"127\.0\.0\.1:1 cannot be looked after"):
        applied("127.0.0.1:1", "p.", timeout_s=5)
