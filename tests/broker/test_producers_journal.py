"""What decorated functions leave on a real broker, read back and compared with what ran."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import TYPE_CHECKING

import pytest

from support.journal import assert_whole, read_bodies, read_events, read_records, runs_of
from tailrace.producers import KafkaUnreachableError, Tailrace, component, current_run, step
from tailrace.schemas.payloads import resolve
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
        assert [event["step_key"] for event in root[1:-1]] == [
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
    assert keys == {"work#0", *(f"@{n}/work#0" for n in range(4))} or all("work" in k for k in keys)
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


def test_an_unreachable_broker_is_one_clear_sentence_at_open(tmp_path: Path) -> None:
    with pytest.raises(KafkaUnreachableError, match=r"Kafka at 127\.0\.0\.1:1 cannot be used"):
        Tailrace("127.0.0.1:1", prefix=f"{tmp_path.name}.").open()
