"""A broker that goes away and comes back: the agent goes on, and nothing is lost."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from support.journal import assert_whole, read_bodies, read_events
from support.stack import address_of, running_kafka
from tailrace.producers import Tailrace, component, step
from tailrace.producers.sender import KafkaSender
from tailrace.schemas.endpoints import kafka_options
from tailrace.schemas.topics import BODIES

if TYPE_CHECKING:
    import pytest


@step
def work(number: int, text: str = "") -> int:
    return number + len(text)


@component
def run(number: int, text: str = "") -> int:
    return work(number, text) - len(text)


def test_what_ran_while_the_broker_was_away_is_on_the_log_afterwards(
    topic_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    with running_kafka() as broker, caplog.at_level(logging.ERROR, "tailrace.producers"):
        kafka = address_of(broker)
        with Tailrace(kafka, prefix=topic_prefix, ack_timeout_s=0.05, close_timeout_s=30) as client:
            assert run(0) == 0
            broker.stop()
            assert [run(number) for number in range(1, 20)] == list(range(1, 20))
            assert client.stats.unacknowledged >= 19
            broker.start()
            assert address_of(broker) == kafka
        assert client.stats.unsent == 0
        events = {(each["run_id"], each["seq"]): each for each in read_events(kafka, topic_prefix)}
    assert_whole(list(events.values()))
    assert len(events) == 60


def test_a_full_buffer_costs_one_wait_then_sheds_and_says_so(
    topic_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    with running_kafka() as broker, caplog.at_level(logging.ERROR, "tailrace.producers"):
        kafka = address_of(broker)
        sender = KafkaSender(
            kafka_options(kafka), prefix=topic_prefix, max_buffer_bytes=200_000, max_block_s=0.1
        )
        sender.open(10)
        with Tailrace(outlet=sender, ack_timeout_s=0.02) as client:
            run(0)
            broker.stop()
            assert [run(number, "x" * 5000) for number in range(1, 80)] == list(range(1, 80))
            assert sender.shed > 0
            assert client.stats.defects == 0
            broker.start()
            assert sender.close(30) == 0
        events = {(each["run_id"], each["seq"]): each for each in read_events(kafka, topic_prefix)}
    said = [record for record in caplog.records if "the buffer is full" in record.message]
    assert len(said) == 1
    # What is shed shows: a run that has its last event lacks another that this one counts.
    last = {each["run_id"]: each["last_seq"] for each in events.values() if each["last_seq"]}
    counted = sum(number + 1 for number in last.values())
    assert counted > sum(run_id in last for run_id, _ in events)


def test_a_record_that_the_broker_refuses_for_its_size_is_lost_alone_and_said(
    kafka: str, topic_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    create_topic(kafka, BODIES.name(topic_prefix), {"max.message.bytes": "20000"})
    noise = "".join(hashlib.sha256(str(n).encode()).hexdigest() for n in range(2000))
    texts = [noise[:12_000], noise, noise[12_000:24_000]]

    @component
    def given(text: str) -> int:
        return len(text)

    with (
        caplog.at_level(logging.ERROR, "tailrace.producers"),
        Tailrace(kafka, prefix=topic_prefix) as client,
        ThreadPoolExecutor(3) as pool,
    ):
        assert list(pool.map(given, texts)) == [len(text) for text in texts]
        assert client.stats.unacknowledged == 0
    assert [record.message for record in caplog.records if "larger than" in record.message]
    events = {(each["run_id"], each["seq"]): each for each in read_events(kafka, topic_prefix)}
    assert_whole(list(events.values()))
    assert set(map(json.loads, read_bodies(kafka, topic_prefix).values())) == {texts[0], texts[2]}


def create_topic(bootstrap: str, name: str, settings: dict[str, str]) -> None:
    async def create() -> None:
        admin: Any = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(name, 1, 1, topic_configs=settings)])
        finally:
            await admin.close()

    asyncio.run(create())
