"""A broker that goes away and comes back: the agent goes on, and nothing is lost."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from support.journal import assert_whole, read_bodies, read_events
from support.stack import address_of, running_kafka
from tailrace.producers import Tailrace, component, run_options, step
from tailrace.producers.delivery.sender import KafkaSender
from tailrace.schemas.endpoints import kafka_options
from tailrace.schemas.payload_reading import resolve
from tailrace.schemas.topics import BODIES, CONTROL

if TYPE_CHECKING:
    from concurrent.futures import Future

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
        with Tailrace(kafka, prefix=topic_prefix, spool_after_s=0.2, close_timeout_s=30) as client:
            assert run(0) == 0
            broker.stop()
            begun = time.monotonic()
            assert [run(number) for number in range(1, 20)] == list(range(1, 20))
            assert time.monotonic() - begun < 10
            broker.start()
            assert address_of(broker) == kafka
        assert (client.stats.unsent, client.stats.left, client.stats.unacknowledged) == (0, 0, 0)
        assert client.stats.spooled >= 57
        events = read_events(kafka, topic_prefix)
    assert_whole(events)
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


def test_a_close_waits_for_what_is_said_once_a_topic_was_read(
    kafka: str, topic_prefix: str
) -> None:
    sender = KafkaSender(kafka_options(kafka), prefix=topic_prefix)
    sender.open(20)
    said: list[Future[int]] = []
    read = sender.read(CONTROL)
    read.add_done_callback(lambda _: said.append(sender.append(CONTROL, b"key", b"value")))
    assert sender.close(20) == 0
    assert read.result() == []
    assert [each.result(0) for each in said] == [0]


def test_a_record_that_the_broker_refuses_for_its_size_is_cut_alone_and_says_so(
    kafka: str, topic_prefix: str
) -> None:
    create_topic(kafka, BODIES.name(topic_prefix), {"max.message.bytes": "20000"})
    noise = "".join(hashlib.sha256(str(n).encode()).hexdigest() for n in range(2000))
    texts = [noise[:12_000], noise, noise[12_000:24_000]]

    @component
    def given(text: str) -> int:
        return len(text)

    with Tailrace(kafka, prefix=topic_prefix) as client, ThreadPoolExecutor(3) as pool:
        assert list(pool.map(given, texts)) == [len(text) for text in texts]
        assert client.stats.unacknowledged == 0
    assert (client.stats.reduced, client.stats.too_large) == (1, 0)
    events = {(each["run_id"], each["seq"]): each for each in read_events(kafka, topic_prefix)}
    assert_whole(list(events.values()))
    bodies = read_bodies(kafka, topic_prefix)
    inputs = {each["input"] for each in events.values() if each["kind"] == "run_started"}
    found = [resolve(text, bodies)["text"] for text in inputs]
    cut = next(each["$cut"] for each in found if not isinstance(each, str))
    assert cut["size_bytes"] == len(noise) + 2
    assert noise.startswith(str(cut["head"])[1:])
    assert {each for each in found if isinstance(each, str)} == {texts[0], texts[2]}


def test_an_event_that_is_too_large_whatever_made_it_so_is_cut_and_says_so(
    kafka: str, topic_prefix: str
) -> None:
    @step(kind="step")
    def fails(text: str) -> None:
        raise ValueError(text)

    @component
    def laden(parts: dict[str, str]) -> int:
        with suppress(ValueError):
            fails("e" * 2_000_000)
        return len(parts)

    parts = {f"part {number:04}": f"{number:04}" * 1000 for number in range(500)}
    tags = [f"tag {number} " + "t" * 1000 for number in range(1200)]
    with Tailrace(kafka, prefix=topic_prefix) as client:
        with run_options(tags=tags):
            assert laden(parts) == 500
        assert client.stats.restarts == 0
    events = read_events(kafka, topic_prefix)
    assert_whole(events)
    assert [each["kind"] for each in events] == ["run_started", "step_failed", "run_completed"]
    started = events[0]
    assert started["attributes"]["tailrace.reduced"] == "tags"
    whole = json.dumps(parts, separators=(",", ":"))
    cut = json.loads(started["input"])["parts"]["$cut"]
    assert cut["sha256"] == hashlib.sha256(whole.encode()).hexdigest()
    assert (cut["size_bytes"], cut["head"]) == (len(whole), whole[:1024])
    assert all(0 < len(each["tags"]) < 1200 for each in events)


def create_topic(bootstrap: str, name: str, settings: dict[str, str]) -> None:
    async def create() -> None:
        admin: Any = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(name, 1, 1, topic_configs=settings)])
        finally:
            await admin.close()

    asyncio.run(create())
