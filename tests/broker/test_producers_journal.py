"""What decorated functions leave on a real broker, read back and compared with what ran."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
)

from support.journal import assert_whole, read_bodies, read_events, read_records, runs_of
from tailrace.producers import (
    BrokenRunError,
    KafkaUnreachableError,
    Tailrace,
    component,
    current_run,
    step,
)
from tailrace.producers.deployments.manifest import component_manifest
from tailrace.schemas.events import RunCompleted, RunFields, RunStarted, StepCompleted
from tailrace.schemas.ids import new_id
from tailrace.schemas.payload_reading import resolve
from tailrace.schemas.payloads import externalize
from tailrace.schemas.topics import CONTROL, RUNS, STEPS

if TYPE_CHECKING:
    from pathlib import Path

_FLEET = 200


@step(kind="tool", effect="read")
async def find_order(order_id: str) -> dict[str, str]:
    await asyncio.sleep(0)
    return {"order": order_id, "state": "sent"}


@step(kind="llm")
async def answer(question: str, order: dict[str, str]) -> str:
    await asyncio.sleep(0)
    return f"{question} {order['state']}"


@component("parcels", config={"tone": "kind"})
async def parcels(question: str) -> str:
    orders = await asyncio.gather(*(find_order(f"{question}-{n}") for n in range(3)))
    await checked(question)
    return await answer(question, orders[0])


@component
async def checked(question: str) -> str:
    if question.endswith("7"):
        with pytest.raises(ValueError, match="no seven"):
            refuse(question)
    return question


@step
def refuse(question: str) -> None:
    raise ValueError(f"no seven in {question}")


def test_a_fleet_of_concurrent_runs_lies_on_the_log_whole_and_once(
    kafka: str, topic_prefix: str
) -> None:
    async def fleet() -> list[str]:
        async with Tailrace(kafka, prefix=topic_prefix):
            return await asyncio.gather(*(parcels(f"q{n}") for n in range(_FLEET)))

    assert asyncio.run(fleet()) == [f"q{n} sent" for n in range(_FLEET)]
    events = read_events(kafka, topic_prefix)
    assert_whole(events)
    runs = runs_of(events)
    assert len(runs) == 2 * _FLEET
    roots = [run for run in runs.values() if run[0]["component"] == "parcels"]
    assert len(roots) == _FLEET
    for root in roots:
        (child_id,) = root[-1]["children"]
        child = runs[child_id][0]
        assert (child["trace_id"], child["root_run_id"]) == (root[0]["trace_id"], root[0]["run_id"])
        assert child["parent_run_id"] == root[0]["run_id"]
        assert root[-1]["run_steps"] == 4
        # On a slow machine a step is announced before it ends.
        done = [event for event in root[1:-1] if event["kind"] != "step_started"]
        assert [event["step_key"] for event in done] == [
            *(f"@{n}/find_order#0" for n in range(3)),
            "answer#0",
        ]
    assert sum(event["kind"] == "step_failed" for event in events) == len(
        [n for n in range(_FLEET) if n % 10 == 7]
    )


def test_a_run_is_on_the_log_when_its_call_returns(kafka: str, topic_prefix: str) -> None:
    @step
    def double(number: int) -> int:
        return 2 * number

    @component("doubled")
    def doubled(number: int) -> int:
        return double(number)

    with Tailrace(kafka, prefix=topic_prefix) as client:
        for number in range(3):
            assert doubled(number) == 2 * number
            events = read_events(kafka, topic_prefix)
            assert_whole(events)
            assert len(events) == 3 * (number + 1)
        assert client.stats.unacknowledged == 0


def test_every_run_names_the_move_that_routed_it(kafka: str, topic_prefix: str) -> None:
    @component("routed", config={"tone": "kind"})
    def routed() -> str:
        return str(current_run().config["tone"])

    with Tailrace(kafka, prefix=topic_prefix):
        assert routed() == "kind"
        assert routed() == "kind"
    registered, moved = read_records(kafka, topic_prefix, CONTROL)
    assert moved["weights"] == {registered["deployment"]: 10_000}
    for event in read_events(kafka, topic_prefix):
        assert event["deployment"] == registered["deployment"]
        assert event["control_offset"] == 1


def test_code_that_dev_points_at_already_is_not_registered_again(
    kafka: str, topic_prefix: str
) -> None:
    def started(tone: str) -> None:
        @component("spoken", config={"tone": tone})
        def spoken() -> None:
            pass

        with Tailrace(kafka, prefix=topic_prefix):
            spoken()

    for tone in ("kind", "kind", "rude", "kind"):
        started(tone)
    events = read_events(kafka, topic_prefix)
    offsets = {event["run_id"]: event["control_offset"] for event in events}
    assert sorted(offsets.values()) == [1, 1, 3, 4]
    control = read_records(kafka, topic_prefix, CONTROL)
    assert [record["decided_on"] for record in control if "decided_on" in record] == [-1, 1, 3]


def test_threads_and_copied_contexts_keep_their_place(kafka: str, topic_prefix: str) -> None:
    @step
    def work(number: int) -> int:
        return number

    @component("threads")
    async def threads() -> int:
        total = sum(await asyncio.gather(*(asyncio.to_thread(work, n) for n in range(4))))
        context = contextvars.copy_context()
        raw = threading.Thread(target=context.run, args=(work, 9))
        raw.start()
        raw.join()
        return total

    async def run() -> None:
        async with Tailrace(kafka, prefix=topic_prefix):
            await asyncio.gather(*(threads() for _ in range(20)))

    asyncio.run(run())
    events = read_events(kafka, topic_prefix)
    assert_whole(events)
    keys = {event["step_key"] for event in events if event["step_key"]}
    assert keys == {"work#0", *(f"@{n}/work#0" for n in range(4))}
    assert sum(event["kind"] == "step_completed" for event in events) == 100


def test_a_large_value_lies_in_bodies_once_and_reads_back(kafka: str, topic_prefix: str) -> None:
    large = "x" * 50_000

    @step
    def echo(text: str) -> str:
        return text

    @component("large")
    def run_large(text: str) -> str:
        return echo(text)

    with Tailrace(kafka, prefix=topic_prefix):
        for _ in range(5):
            assert run_large(large) == large
    events = read_events(kafka, topic_prefix)
    assert_whole(events)
    bodies = read_bodies(kafka, topic_prefix)
    assert len(read_records(kafka, topic_prefix, RUNS, STEPS)) == 15
    assert len(bodies) == 1
    for event in events:
        assert set(event["bodies"]) == bodies.keys()
        assert resolve(event["input"], bodies) == {"text": large}


def test_a_broker_that_is_required_and_away_is_one_clear_sentence_at_open(tmp_path: Path) -> None:
    with pytest.raises(KafkaUnreachableError, match=r"Kafka at 127\.0\.0\.1:1 cannot be used"):
        Tailrace("127.0.0.1:1", prefix=f"{tmp_path.name}.", require_kafka=True).open()


HUNG = """
import sys, threading
from tailrace.producers import Tailrace, component, step

@step
def quick():
    return 1

@step
def hangs():
    threading.Event().wait(120)

@component
def doomed():
    quick()
    hangs()

with Tailrace(sys.argv[1], prefix=sys.argv[2], step_started_after_s=0.1):
    print("begun", flush=True)
    doomed()
"""


def test_a_killed_process_leaves_its_run_and_the_step_it_hung_in(
    kafka: str, topic_prefix: str
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HUNG, kafka, topic_prefix], stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"begun\n"
            deadline = time.monotonic() + 30
            kinds: list[str] = []
            while "step_started" not in kinds and time.monotonic() < deadline:
                kinds = [event["kind"] for event in read_events(kafka, topic_prefix)]
        finally:
            process.kill()
    events = read_events(kafka, topic_prefix)
    assert [event["kind"] for event in events] == ["run_started", "step_completed", "step_started"]
    assert events[-1]["name"] == "hangs"
    assert [event["seq"] for event in events] == [0, 1, 2]


ENDING = """
import sys
from tailrace.producers import Tailrace, component, step

@step
def quick(number):
    return number

@component
def run():
    for number in range(100):
        quick(number)

client = Tailrace(sys.argv[1], prefix=sys.argv[2], ack_timeout_s=0)
client.open()
run()
"""


def test_a_process_that_ends_without_closing_sends_what_is_left(
    kafka: str, topic_prefix: str
) -> None:
    subprocess.run([sys.executable, "-c", ENDING, kafka, topic_prefix], check=True, timeout=60)
    events = read_events(kafka, topic_prefix)
    assert_whole(events)
    assert len(events) == 102


def test_failure_and_cancellation_end_a_run_on_the_log(kafka: str, topic_prefix: str) -> None:
    begun = threading.Event()

    @step
    async def hangs() -> None:
        begun.set()
        await asyncio.Event().wait()

    @component
    async def cancelled() -> None:
        await hangs()

    @component
    def failing() -> None:
        refuse("q7")

    async def run() -> None:
        async with Tailrace(kafka, prefix=topic_prefix):
            with pytest.raises(ValueError, match="no seven"):
                failing()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(cancelled(), 0.2)

    asyncio.run(run())
    events = read_events(kafka, topic_prefix)
    assert_whole(events)
    assert sorted(event["kind"] for event in events if event["last_seq"] is not None) == [
        "run_cancelled",
        "run_failed",
    ]
    assert sum(event["kind"] == "step_cancelled" for event in events) == 1


@pytest.mark.parametrize("error", [OutOfOrderSequenceNumber, InvalidProducerEpoch, ProducerFenced])
def test_a_producer_that_dies_is_replaced_and_nothing_is_lost(
    kafka: str, topic_prefix: str, error: type[KafkaError]
) -> None:
    @step
    def work(number: int) -> int:
        return number

    @component
    def run(number: int) -> int:
        return work(number)

    with Tailrace(kafka, prefix=topic_prefix) as client:
        run(0)
        sender = client.sender
        assert sender is not None
        assert sender.delivery is not None
        assert sender.loop is not None
        # What a fenced or confused producer looks like to the sender: its own task has died.
        producer: Any = sender.delivery.producer
        sender.loop.call_soon_threadsafe(producer._sender._fail_all, _Died(error()))
        for number in range(1, 50):
            run(number)
        assert sender.restarts == 1
    events = {(each["run_id"], each["seq"]): each for each in read_events(kafka, topic_prefix)}
    assert_whole(list(events.values()))
    assert len(events) == 150


class _Died:
    """A finished task of aiokafka that ended in an error it never comes back from."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def cancelled(self) -> bool:
        return False

    def exception(self) -> BaseException:
        return self._error


def test_an_importers_runs_go_out_whole_and_a_broken_one_not_at_all(
    kafka: str, topic_prefix: str
) -> None:
    run = RunFields(
        trace_id=new_id(), run_id=(run_id := new_id()), root_run_id=run_id, component="c"
    )
    now = datetime.now(UTC)
    out = externalize({"text": "x" * 20_000})
    events = [
        RunStarted(run=run, seq=0, ts=now, input=out.text, bodies=out.hashes),
        StepCompleted(run=run, seq=1, ts=now, step_id="1", name="s"),
        RunCompleted(run=run, seq=2, ts=now, last_seq=2),
    ]
    manifest = component_manifest("c", entry_point=None, config={}, steps={}, code_digest="")

    async def publish() -> str:
        async with Tailrace(kafka, prefix=topic_prefix) as client:
            writer = client.writer()
            deployment = writer.register_deployment(manifest, recorded_only=True, actor="import")
            await writer.publish(events, out.bodies)
            with pytest.raises(BrokenRunError, match="numbered"):
                await writer.publish(events[1:])
            with pytest.raises(BrokenRunError, match="is the last"):
                writer.publish_blocking(events[:2])
            return deployment

    deployment = asyncio.run(publish())
    assert read_events(kafka, topic_prefix) == [event.flatten() for event in events]
    assert set(read_bodies(kafka, topic_prefix)) == set(out.hashes)
    (registered,) = read_records(kafka, topic_prefix, CONTROL)
    assert (registered["deployment"], registered["recorded_only"]) == (deployment, True)
