"""What a call has stored when it returns, broker or not, and what a process leaves that ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from support.journal import assert_whole, read_events
from support.kafka_proxy import kafka_proxy
from support.stack import address_of, running_kafka
from support.waiting import wait_until
from tailrace.producers import JournalFullError, Tailrace, component, step
from tailrace.producers.delivery.spool import abandoned, spool_root

if TYPE_CHECKING:
    from pathlib import Path


@step
def work(number: int) -> int:
    return number


@step
async def async_work(number: int) -> int:
    await asyncio.sleep(0)
    return number


@component
def run(number: int) -> int:
    return work(number)


def run_for_ever() -> None:
    while True:
        run(1)


def kinds(kafka: str, prefix: str) -> list[str]:
    return [event["kind"] for event in read_events(kafka, prefix)]


def test_a_step_is_on_the_log_when_its_call_returns_where_steps_are_waited_for(
    kafka: str, topic_prefix: str
) -> None:
    seen: list[list[str]] = []

    @component
    def careful() -> None:
        work(1)
        seen.append(kinds(kafka, topic_prefix))
        with pytest.raises(TypeError):
            work("x", "y")  # pyright: ignore[reportCallIssue, reportArgumentType] - it shall fail
        seen.append(kinds(kafka, topic_prefix))

    @component
    async def async_careful() -> None:
        await asyncio.gather(*(async_work(n) for n in range(5)))
        seen.append(await asyncio.to_thread(kinds, kafka, topic_prefix))

    with Tailrace(kafka, prefix=topic_prefix, durability="step") as client:
        careful()
        assert seen == [
            ["run_started", "step_completed"],
            ["run_started", "step_completed", "step_failed"],
        ]
        asyncio.run(async_careful())
        assert seen[-1].count("step_completed") == 6
        assert client.stats.unacknowledged == 0
    assert_whole(read_events(kafka, topic_prefix))


def test_no_call_waits_where_none_is_to(topic_prefix: str) -> None:
    with running_kafka() as broker, kafka_proxy(address_of(broker)) as proxy:
        with Tailrace(
            proxy.address, prefix=topic_prefix, durability="async", spool_after_s=60
        ) as client:
            run(0)
            proxy.stalled = True
            begun = time.monotonic()
            for number in range(50):
                run(number)
            assert time.monotonic() - begun < 1
            proxy.stalled = False
            assert client.flush(20)
        assert client.stats.spooled == 0
        events = read_events(address_of(broker), topic_prefix)
    assert_whole(events)
    assert len(events) == 51 * 3


def test_who_runs_ahead_of_the_sender_makes_bytes_and_nothing_changes_on_the_log(
    kafka: str, topic_prefix: str
) -> None:
    steps = 300

    @component
    def burst(number: int) -> None:
        for _ in range(steps):
            work(number)

    with Tailrace(kafka, prefix=topic_prefix, durability="async") as client:
        run(0)
        assert client.flush(20)
        sender, held = client.sender, threading.Event()
        assert sender is not None
        assert sender.loop is not None
        assert sender.delivery is not None
        sender.loop.call_soon_threadsafe(held.wait)
        try:
            burst(1)
            made = [isinstance(entry[-1], bytes) for entry in sender.delivery.queue]
        finally:
            held.set()
        # The first are left to the sender; then the caller makes each.
        assert made[0]  # the run's start
        assert not any(made[1:100])
        assert all(made[-100:])
        burst(2)
    events = read_events(kafka, topic_prefix)
    assert_whole(events)
    ours = [each for each in events if each["component"] == "burst" and each["name"] == "work"]
    for number in (1, 2):
        told = [each for each in ours if each["input"] == f'{{"number":{number}}}']
        assert [each["step_key"] for each in told] == [f"work#{n}" for n in range(steps)]
        assert {each["output"] for each in told} == {str(number)}
    assert len({each["input_digest"] for each in ours}) == 2


def test_a_client_opened_without_a_broker_records_and_sends_when_there_is_one(
    topic_prefix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running_kafka() as broker:
        kafka = address_of(broker)
        broker.stop()
        begun = time.monotonic()
        with Tailrace(
            kafka, prefix=topic_prefix, spool=str(tmp_path), close_timeout_s=30
        ) as client:
            assert [run(number) for number in range(20)] == list(range(20))
            assert time.monotonic() - begun < 10
            said = [each for each in caplog.records if "Events are kept" in each.message]
            assert len(said) == 1
            broker.start()
            wait_until(lambda: not list(tmp_path.rglob("*.spool")), "the spool is sent")
            run(20)
            assert client.stats.defects == 0
        events = read_events(kafka, topic_prefix)
    assert_whole(events)
    assert len(events) == 21 * 3
    # What ran while the route was unknown says so; what ran afterwards names its move.
    assert {each["control_offset"] for each in events[:3]} == {-1}
    assert list(tmp_path.rglob("*")) == [spool_root(str(tmp_path), kafka, topic_prefix)]


PROGRAM = """
import os, signal, sys, threading
from tailrace.producers import Tailrace, component, step

@step
def work(number):
    return number

@component
def run(number):
    return work(number)

kafka, prefix, how = sys.argv[1:]
before = []
if how == "handled":
    signal.signal(signal.SIGTERM, lambda number, frame: before.append(number))
client = Tailrace(kafka, prefix=prefix, durability="async", open_timeout_s=3, close_timeout_s=3)
client.open()
for number in range(100):
    run(number)
print("ran", flush=True)
if how == "exit":
    sys.exit(0)
while not before:
    signal.pause()
run(100)
print("went on", flush=True)
"""


def program(kafka: str, prefix: str, how: str, spool: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, kafka, prefix, how],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TAILRACE_SPOOL": str(spool)},
    )


@pytest.mark.parametrize("how", ["exit", "terminated", "handled"])
def test_a_process_that_ends_without_close_has_sent_what_it_recorded(
    kafka: str, topic_prefix: str, tmp_path: Path, how: str
) -> None:
    process = program(kafka, topic_prefix, how, tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == "ran\n"
    if how != "exit":
        process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert process.returncode == {"terminated": -signal.SIGTERM}.get(how, 0), err
    assert out == ("went on\n" if how == "handled" else "")
    events = read_events(kafka, topic_prefix)
    assert_whole(events)
    assert len(events) == 3 * (101 if how == "handled" else 100)


def test_what_a_process_cannot_send_before_it_ends_is_said_and_sent_by_the_next(
    topic_prefix: str, tmp_path: Path
) -> None:
    with running_kafka() as broker, kafka_proxy(address_of(broker)) as proxy:
        with Tailrace(proxy.address, prefix=topic_prefix):
            run(0)
        proxy.stalled = True
        process = program(proxy.address, topic_prefix, "terminated", tmp_path)
        assert process.stdout is not None
        assert process.stdout.readline() == "ran\n"
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
        assert time.monotonic() - begun < 25
        assert process.returncode == -signal.SIGTERM
        assert "they lie in the spool" in err
        proxy.stalled = False
        with Tailrace(proxy.address, prefix=topic_prefix, spool=str(tmp_path)) as client:
            wait_until(lambda: not list(tmp_path.rglob("*.spool")), "the spool is taken over")
        assert client.stats.taken_over == 300
        events = read_events(address_of(broker), topic_prefix)
    assert_whole(list({(each["run_id"], each["seq"]): each for each in events}.values()))
    assert len(events) == 303


def test_a_full_journal_refuses_new_work_where_that_is_asked_for(
    topic_prefix: str, tmp_path: Path
) -> None:
    with running_kafka() as broker, kafka_proxy(address_of(broker)) as proxy:
        with Tailrace(
            proxy.address,
            prefix=topic_prefix,
            spool=str(tmp_path),
            spool_bytes=200_000,
            max_buffer_bytes=100_000,
            when_full="raise",
            spool_after_s=0.1,
            ack_timeout_s=0.02,
        ) as client:
            assert run(0) == 0
            proxy.stalled = True
            with pytest.raises(JournalFullError, match="the journal is full"):
                run_for_ever()
            proxy.stalled = False
            wait_until(lambda: client.sender is not None and not client.sender.full, "room")
            assert run(2) == 2
        assert client.stats.shed == 0
        events = read_events(address_of(broker), topic_prefix)
    assert_whole(events)
    assert list(abandoned(tmp_path, but=None)) == []
