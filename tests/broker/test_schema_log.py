"""A process understands what a newer producer writes once it has read the `schemas` topic."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaProducer

from support.stack import address_of, running_kafka
from tailrace.schemas import wire
from tailrace.schemas.catalog import Schema, latest, shipped
from tailrace.schemas.schema_book import SchemaBook
from tailrace.schemas.schema_log import (
    SchemaFollower,
    SchemaLogError,
    publish_missing,
    send_schemas,
)
from tailrace.schemas.topic_admin import apply
from tailrace.schemas.topics import SCHEMAS

if TYPE_CHECKING:
    from tailrace.console.local.kafka import Kafka

V1 = latest("journal_event")
_DEFINITION: dict[str, Any] = copy.deepcopy(V1.definition)
_DEFINITION["fields"].append(
    {"name": "mood", "type": ["null", "string"], "default": None, "doc": "New in v2."}
)
V2 = Schema("journal_event", 2, _DEFINITION)
WAIT_S = 20


def created(kafka: str, prefix: str) -> dict[str, Any]:
    options = {"bootstrap_servers": kafka}
    asyncio.run(apply([SCHEMAS], prefix=prefix, options=options))
    return options


def test_an_older_process_understands_a_newer_producers_event_after_its_schema_came(
    kafka: str, topic_prefix: str
) -> None:
    options = created(kafka, topic_prefix)
    data = wire.encode(V2, {"trace_id": "t", "kind": "run_started", "mood": "calm"})

    async def scenario() -> None:
        book = SchemaBook([V1])  # the older process
        async with SchemaFollower(book, prefix=topic_prefix, options=options):
            with pytest.raises(wire.UnknownSchemaError) as caught:
                wire.decode(data, source=book)
            waiting = asyncio.create_task(book.wait_for(caught.value.schema_id, WAIT_S))
            written = await publish_missing([V1, V2], prefix=topic_prefix, options=options)
            assert written == (V1, V2)
            assert (await waiting).text == V2.text
            schema, record = wire.decode(data, source=book)
            assert (schema.id, record["mood"]) == (V2.id, "calm")
            assert wire.decode(data, source=book, reader=V1)[1]["trace_id"] == "t"

    asyncio.run(scenario())


def test_a_process_that_starts_later_knows_every_schema_once_started(
    kafka: str, topic_prefix: str
) -> None:
    options = created(kafka, topic_prefix)

    async def scenario() -> None:
        await publish_missing([V2], prefix=topic_prefix, options=options)
        async with SchemaFollower(prefix=topic_prefix, options=options) as follower:
            assert {schema.id for schema in follower.book} == {V2.id, *shipped()}

    asyncio.run(scenario())


def test_what_is_on_the_topic_is_not_written_again(kafka: str, topic_prefix: str) -> None:
    options = created(kafka, topic_prefix)

    async def scenario() -> None:
        everything = tuple(shipped().values())
        assert await publish_missing(everything, prefix=topic_prefix, options=options) == everything
        assert await publish_missing(everything, prefix=topic_prefix, options=options) == ()
        both = await publish_missing([V1, V2], prefix=topic_prefix, options=options)
        assert both == (V2,)

    asyncio.run(scenario())


def test_records_that_are_no_schemas_are_counted_and_stop_nothing(
    kafka: str, topic_prefix: str
) -> None:
    options = created(kafka, topic_prefix)

    async def scenario() -> None:
        producer: Any = AIOKafkaProducer(**options)
        await producer.start()
        topic = SCHEMAS.name(topic_prefix)
        await producer.send_and_wait(topic, key=b"1", value=V2.text.encode())
        await producer.send_and_wait(topic, key=b"junk", value=b"junk")
        await send_schemas(producer, [V2], prefix=topic_prefix)
        await producer.stop()
        async with SchemaFollower(prefix=topic_prefix, options=options) as follower:
            assert V2.id in follower.book
            wrong_hash, no_key = follower.rejections
        assert f"offset 0: schema id 1 is the key of a schema that hashes to {V2.id}" in wrong_hash
        assert "offset 1: the key 'junk' is no schema id" in no_key

    asyncio.run(scenario())


def test_a_missing_topic_is_said_with_what_to_do_and_is_not_created(
    kafka: str, topic_prefix: str
) -> None:
    follower = SchemaFollower(prefix=topic_prefix, options={"bootstrap_servers": kafka})
    for _ in range(2):
        with pytest.raises(SchemaLogError, match=r"does not exist.*tailrace topics apply"):
            asyncio.run(follower.start())


def test_an_unreachable_broker_is_said_within_the_time_given() -> None:
    follower = SchemaFollower(options={"bootstrap_servers": "127.0.0.1:1"})
    with pytest.raises(SchemaLogError, match=r"cannot be reached.*see whether Kafka runs"):
        asyncio.run(follower.start(timeout_s=5))


def test_a_follower_goes_on_after_its_broker_was_restarted(topic_prefix: str) -> None:
    async def scenario(broker: Kafka) -> None:
        options = {"bootstrap_servers": address_of(broker)}
        await apply([SCHEMAS], prefix=topic_prefix, options=options)
        async with SchemaFollower(prefix=topic_prefix, options=options) as follower:
            await asyncio.to_thread(broker.stop)
            await asyncio.to_thread(broker.start)
            assert options == {"bootstrap_servers": address_of(broker)}
            await publish_missing([V2], prefix=topic_prefix, options=options)
            assert (await follower.book.wait_for(V2.id, WAIT_S)).text == V2.text

    with running_kafka() as broker:
        asyncio.run(scenario(broker))
