"""Importing into a real broker: once, whatever is imported again, stored or not."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaConsumer

from support.log import append
from support.trajectories import recordings, small_talk, write_lines
from tailrace.console.cli import main
from tailrace.console.importing.identity import Grouping
from tailrace.console.importing.lines import read_lines
from tailrace.console.importing.plan import Plan
from tailrace.console.importing.rebuild import rebuild_messages
from tailrace.console.importing.times import file_time
from tailrace.console.importing.trajectory import parse_trajectory
from tailrace.producers.content import encode
from tailrace.schemas import wire
from tailrace.schemas.events import Event, parse_event
from tailrace.schemas.topic_admin import apply
from tailrace.schemas.topics import BODIES, CONTROL, RUNS, SCHEMAS, STEPS, Topic
from tailrace.sinks.clickhouse import connect
from tailrace.sinks.queries.count_events import count_events
from tailrace.sinks.queries.tool_calls_by_name import tool_calls_by_name
from tailrace.sinks.sink import SinkOptions, run_sink, wait_until_stored

if TYPE_CHECKING:
    from pathlib import Path

    from support.trajectories import Message

TOPICS = (RUNS, STEPS, BODIES, CONTROL, SCHEMAS)
GROUPED = ["--trace-by", "task_id", "--attempt-by", "trial", "--deployment-by", "trial"]
TIMEOUT_S = 60


@pytest.fixture
def log(kafka: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch) -> Log:
    monkeypatch.setenv("TAILRACE_KAFKA", kafka)
    monkeypatch.setenv("TAILRACE_PREFIX", topic_prefix)
    # No ClickHouse unless a test asks for one; nothing listens on port 1.
    monkeypatch.setenv("TAILRACE_CLICKHOUSE", "http://127.0.0.1:1")
    asyncio.run(apply(prefix=topic_prefix, options={"bootstrap_servers": kafka}))
    return Log(kafka, topic_prefix)


@pytest.fixture
def archived_log(log: Log, database: str, clickhouse: str, monkeypatch: pytest.MonkeyPatch) -> Log:
    """The log of this test, with a real ClickHouse to archive it into."""
    monkeypatch.setenv("TAILRACE_CLICKHOUSE", clickhouse)
    monkeypatch.setenv("TAILRACE_DATABASE", database)
    return log


class Log:
    """The topics of one test, read whole."""

    def __init__(self, kafka: str, prefix: str) -> None:
        self._kafka, self._prefix = kafka, prefix

    def size(self) -> dict[str, int]:
        return {topic.suffix: len(self.records(topic)) for topic in TOPICS if topic != SCHEMAS}

    def append(self, topic: Topic, values: list[bytes]) -> None:
        append(self._kafka, topic.name(self._prefix), values)

    def ends(self) -> dict[Any, int]:
        return asyncio.run(asyncio.wait_for(self._read(None), TIMEOUT_S))[1]

    def records(self, topic: Topic) -> list[dict[str, Any]]:
        values, _ = asyncio.run(asyncio.wait_for(self._read(topic), TIMEOUT_S))
        return [wire.decode(value)[1] for value in values]

    def runs(self) -> dict[str, list[Event]]:
        found: dict[str, list[Event]] = {}
        for record in (*self.records(RUNS), *self.records(STEPS)):
            event = parse_event(record)
            found.setdefault(event.run.run_id, []).append(event)
        return found

    async def _read(self, topic: Topic | None) -> tuple[list[bytes], dict[Any, int]]:
        names = [one.name(self._prefix) for one in (TOPICS if topic is None else (topic,))]
        consumer: Any = AIOKafkaConsumer(*names, bootstrap_servers=self._kafka)
        await consumer.start()
        try:
            ends: dict[Any, int] = await consumer.end_offsets(consumer.assignment())
            if topic is None:
                return [], ends
            for place in ends:
                consumer.seek(place, 0)
            values: list[bytes] = []
            while len(values) < sum(ends.values()):
                batches = await consumer.getmany(timeout_ms=500)
                values.extend(record.value for batch in batches.values() for record in batch)
            return values, ends
        finally:
            await consumer.stop()


def import_file(path: Path, *more: str) -> int:
    return main(["import", str(path), "--component", "airline", *GROUPED, *more])


def messages_of(path: Path) -> list[list[Message]]:
    lines = [line.text for line in read_lines(path)]
    return [parse_trajectory(line).messages for line in lines if isinstance(line, bytes)]


def test_a_second_import_moves_no_end_of_any_topic(
    log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = recordings(tmp_path)[0]
    assert import_file(path) == 0
    first = capsys.readouterr().out
    ends = log.ends()
    assert import_file(path) == 0
    second = capsys.readouterr().out
    assert log.ends() == ends
    imported = first.split()[0]
    assert first.endswith("\n0 runs already there, 0 lines refused\n")
    assert second == (
        f"0 runs, 0 messages → 0 events, 0 bodies\n{imported} runs already there, 0 lines refused\n"
    )


def test_every_message_of_a_file_can_be_read_back_from_the_log(log: Log, tmp_path: Path) -> None:
    path = recordings(tmp_path)[-1]
    import_file(path)
    bodies = {body["sha256"]: body["content"] for body in log.records(BODIES)}
    rebuilt = [repr(rebuild_messages(events, bodies)) for events in log.runs().values()]
    assert Counter(rebuilt) == Counter(repr(messages) for messages in messages_of(path))


def test_a_bad_line_keeps_the_good_ones_and_a_corrected_file_adds_the_rest(
    log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = [small_talk(task, 0) for task in range(4)]
    path = write_lines(tmp_path / "a.jsonl", [good[0], b"[", *good[1:3]])
    assert import_file(path) == 1
    assert f"{path}:2: " in capsys.readouterr().err
    assert len(log.runs()) == 3
    write_lines(path, good)
    assert import_file(path) == 0
    assert "1 run, 8 messages" in capsys.readouterr().out
    assert len(log.runs()) == 4


def test_each_value_becomes_one_deployment_that_only_stands_for_recordings(
    log: Log, tmp_path: Path
) -> None:
    lines = [small_talk(task, trial) for task in range(2) for trial in range(3)]
    path = write_lines(tmp_path / "a.jsonl", lines)
    import_file(path)
    registered = log.records(CONTROL)
    assert [one["recorded_only"] for one in registered] == [True] * 3
    assert [one["label"] for one in registered] == ["trial 0", "trial 1", "trial 2"]
    assert not any("entry_point" in one["manifest"] for one in registered)
    used = {events[0].run.deployment for events in log.runs().values()}
    assert used == {one["deployment"] for one in registered}


def test_what_clickhouse_holds_is_known_without_reading_the_log_again(
    archived_log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = archived_log
    path = recordings(tmp_path)[0]
    import_file(path)
    asyncio.run(store())
    client = connect()
    counts = count_events(client)
    assert counts.rows == counts.events == log.size()["runs"] + log.size()["steps"]
    in_file = Counter(name for messages in messages_of(path) for name in called(messages))
    assert {one.name: one.calls for one in tool_calls_by_name(client)} == in_file
    client.close()
    # One more line lies on the log alone, the others in ClickHouse alone as far as is read.
    more = write_lines(tmp_path / "more.jsonl", [small_talk(77, 0)])
    import_file(more)
    ends = log.ends()
    capsys.readouterr()
    for file in (path, more):
        import_file(file)
        assert capsys.readouterr().out.startswith("0 runs, ")
    assert log.ends() == ends


def test_a_run_that_was_published_in_part_is_published_again_with_the_same_bytes(
    log: Log, tmp_path: Path
) -> None:
    path = write_lines(tmp_path / "a.jsonl", [small_talk(5, 1)])
    grouping = Grouping("a", "airline", "task_id", "trial", "trial")
    plan = Plan(path.name, grouping, "recorded", file_time(path))
    trajectory = parse_trajectory(path.read_bytes())
    run = plan.run(trajectory, plan.identify(trajectory), 1)
    log.append(STEPS, [encode.event(event.flatten()) for event in run.events[1:3]])
    assert import_file(path) == 0
    events = [event for events in log.runs().values() for event in events]
    assert len(events) == len(run.events) + 2
    assert {event.seq: event for event in events} == {event.seq: event for event in run.events}
    assert all(event in run.events for event in events)


def test_an_import_that_is_killed_is_completed_by_the_next_one(log: Log, tmp_path: Path) -> None:
    lines = [small_talk(task, trial) for task in range(200) for trial in range(3)]
    path = write_lines(tmp_path / "a.jsonl", lines)
    command = [sys.executable, "-c", "from tailrace.console.cli import main; main()"]
    killed = subprocess.Popen([*command, "import", str(path), "--component", "airline", *GROUPED])
    deadline = time.monotonic() + TIMEOUT_S
    while not log.records(RUNS):
        assert time.monotonic() < deadline
    killed.kill()
    killed.wait(TIMEOUT_S)
    assert import_file(path) == 0
    records = [*log.records(RUNS), *log.records(STEPS)]
    found = {(record["run_id"], record["seq"]): record for record in records}
    assert len(found) == 7 * len(lines)
    # What lies there twice is the same, and a run that had ended was not published again.
    assert all(record == found[record["run_id"], record["seq"]] for record in records)
    assert sum(record["last_seq"] is not None for record in records) == len(lines)


async def store() -> None:
    stop = asyncio.Event()
    sink = asyncio.create_task(run_sink(SinkOptions(linger_ms=50), stop))
    try:
        await wait_until_stored(SinkOptions(), TIMEOUT_S)
    finally:
        stop.set()
        await sink


def called(messages: list[Message]) -> list[str]:
    calls: list[Any] = [one for m in messages for one in m.get("tool_calls") or ()]
    return [one["function"]["name"] for one in calls]
