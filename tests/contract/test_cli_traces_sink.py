"""`tailrace sink` and `tailrace migrate` as processes: from the log to `traces ls`, and the end."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaProducer

from support.program import PROGRAM, environment, tailrace
from support.traces import TRACE, Journal
from support.waiting import wait_until
from tailrace.schemas import wire
from tailrace.schemas.catalog import latest
from tailrace.schemas.topics import RUNS, STEPS

if TYPE_CHECKING:
    from pathlib import Path

_STOP_S = 12


@pytest.fixture
def variables(kafka: str, clickhouse: str, database: str, topic_prefix: str) -> dict[str, str]:
    return {
        "TAILRACE_KAFKA": kafka,
        "TAILRACE_CLICKHOUSE": clickhouse,
        "TAILRACE_DATABASE": database,
        "TAILRACE_PREFIX": topic_prefix,
    }


def publish(bootstrap: str, prefix: str, journal: Journal) -> None:
    async def send() -> None:
        producer: Any = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
        await producer.start()
        try:
            for event in journal.events:
                topic = RUNS if event.kind.startswith("run_") else STEPS
                value = wire.encode(latest("journal_event"), event.flatten())
                await producer.send_and_wait(topic.name(prefix), value, key=TRACE.encode())
        finally:
            await producer.stop()

    asyncio.run(asyncio.wait_for(send(), 30))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_sink_makes_the_tables_stores_the_log_and_stops_when_told(
    kafka: str,
    topic_prefix: str,
    tmp_path: Path,
    variables: dict[str, str],
    number: signal.Signals,
) -> None:
    assert tailrace("topics", "apply", data=tmp_path, variables=variables).returncode == 0
    journal = Journal("1" * 32).started("Where is it?").step("look", 1, 2).completed("here")
    publish(kafka, topic_prefix, journal)
    sink = subprocess.Popen(
        [*PROGRAM, "sink"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(tmp_path, variables),
    )

    def is_stored() -> bool:
        listed = tailrace("traces", "ls", "--json", data=tmp_path, variables=variables)
        rows = [json.loads(line) for line in listed.stdout.splitlines()]
        return [(row["trace_id"], row["status"]) for row in rows] == [(TRACE, "complete")]

    try:
        wait_until(is_stored, "the run is listed", timeout_s=60, poll_s=0.3)
        told_at = time.monotonic()
        sink.send_signal(number)
        out, err = sink.communicate(timeout=_STOP_S)
    finally:
        sink.kill()
    assert time.monotonic() - told_at < _STOP_S
    assert (sink.returncode, out) == (0, "")
    assert err.splitlines()[0] == "the sink starts; SIGTERM or Ctrl-C stops it"
    assert err.splitlines()[-1] == "stopped: 3 rows stored, 0 dead letters"


def test_the_sink_refuses_old_tables_if_it_may_not_migrate(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    refused = tailrace("sink", "--no-migrate", data=tmp_path, variables=variables)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("error: the database lacks 0001_events.sql, ")
    assert refused.stderr.endswith("run `tailrace migrate`, or leave out --no-migrate\n")


def test_migrate_says_what_it_would_do_then_does_it_then_has_nothing_to_do(
    database: str, tmp_path: Path, variables: dict[str, str]
) -> None:
    would, does, done, would_index, index, again = (
        tailrace("migrate", *options, data=tmp_path, variables=variables)
        for options in (
            ("--dry-run",),
            (),
            (),
            ("--text-index", "--dry-run"),
            ("--text-index",),
            ("--text-index",),
        )
    )
    assert [run.returncode for run in (would, does, done, would_index, index, again)] == [0] * 6
    assert would.stdout.splitlines()[0] == "would apply 0001_events.sql"
    assert does.stdout == would.stdout.replace("would apply", "applied")
    number = len(does.stdout.splitlines())
    assert done.stdout == f"database {database} is up to date: all {number} migrations applied\n"
    assert [run.stdout.splitlines()[-1] for run in (would_index, index, again)] == [
        "would index the words of payloads",
        (
            "the words of payloads are indexed from now on; what is stored already follows in the "
            "background"
        ),
        "the words of payloads are indexed already",
    ]


@pytest.mark.parametrize("missing", ["TAILRACE_KAFKA", "TAILRACE_CLICKHOUSE"])
def test_a_dead_server_is_one_sentence(
    tmp_path: Path, variables: dict[str, str], missing: str
) -> None:
    assert tailrace("topics", "apply", data=tmp_path, variables=variables).returncode == 0
    dead = "127.0.0.1:1" if missing == "TAILRACE_KAFKA" else "http://127.0.0.1:1"
    run = tailrace("sink", data=tmp_path, variables={**variables, missing: dead})
    assert run.returncode == 1
    said = run.stderr.splitlines()
    assert said[-1].startswith("error: ")
    assert len(said) == 2
    assert "defect" not in run.stderr


def test_a_server_that_never_answers_does_not_keep_the_sink_from_ending(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    assert tailrace("topics", "apply", data=tmp_path, variables=variables).returncode == 0
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        sink = subprocess.Popen(
            [*PROGRAM, "sink"],
            stderr=subprocess.PIPE,
            text=True,
            env=environment(tmp_path, {**variables, "TAILRACE_CLICKHOUSE": address}),
        )
        try:
            silent.settimeout(30)
            connection, _ = silent.accept()
            with connection:
                sink.send_signal(signal.SIGTERM)
                _, err = sink.communicate(timeout=_STOP_S)
        finally:
            sink.kill()
    assert sink.returncode == 1
    assert err.splitlines()[-1].startswith("error: the sink did not come to rest within 9 s")
