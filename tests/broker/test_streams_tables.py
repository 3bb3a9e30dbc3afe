"""From agents and recordings to the tables: what the streams say is what the events say."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from support import way_agents
from support.log_journal import create_topics, fleet, run_records, write
from support.log_sinks import running_sink
from support.program import environment, tailrace
from support.repository import ROOT
from support.stream_workers import running_workers
from support.trajectories import recordings
from tailrace.sinks.clickhouse import connect
from tailrace.sinks.queries.closed_executions import FIELDS, closed_executions, ended_by_events
from tailrace.sinks.queries.completeness import execution_states, wait_until_complete
from tailrace.sinks.queries.health_by_deployment import health_by_deployment, quantile
from tailrace.sinks.sink import SinkOptions, wait_until_stored
from tailrace.streams.durations import bucket, quantiles
from tailrace.streams.execution import Limits
from tailrace.streams.options import StreamOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clickhouse_connect.driver.client import Client

STORED_S = 90.0
FLEET = ("--conversations", "20")
MINUTES = 60


@pytest.fixture
def sink(kafka: str, clickhouse: str, database: str, topic_prefix: str) -> SinkOptions:
    create_topics(kafka, topic_prefix)
    return SinkOptions(kafka, clickhouse, database, topic_prefix)


def stored(
    sink: SinkOptions, folder: Path, limits: Limits, ready: Callable[[Client], bool]
) -> Client:
    """Run a worker and a sink until what is ready is ready; return a client of the tables."""
    assert sink.prefix is not None
    options = StreamOptions(sink.kafka, sink.prefix, data=folder, limits=limits)

    async def run() -> None:
        async with running_sink(sink):
            await wait_until_stored(sink, STORED_S)
            async with asyncio.timeout(STORED_S):
                while not await asyncio.to_thread(ready, connect(sink.clickhouse, sink.database)):
                    await wait_until_stored(sink, STORED_S)

    with running_workers(options):
        asyncio.run(run())
    return connect(sink.clickhouse, sink.database)


def comparable(rows: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        told: dict[str, Any] = {name: row[name] for name in FIELDS}
        told["cost_usd"] = told["cost_usd"] and pytest.approx(told["cost_usd"])
        found[row["trace_id"], row["root_run_id"]] = told
    return found


def agree(client: Client) -> bool:
    """Say whether as many executions were closed as have ended by their events, health told."""
    closed = len(closed_executions(client))
    told = sum(row.closed for row in health_by_deployment(client, MINUTES)[1])
    return closed == told == len(ended_by_events(client)) > 0


def run_agents(folder: Path, variables: dict[str, str]) -> int:
    """Run agents of every ending and the example's fleet; return how often its root ran."""
    programs = ([way_agents.__file__], ["-m", "examples.support_agent.fleet", *FLEET])
    running = [
        subprocess.Popen(
            [sys.executable, *program],
            cwd=ROOT,
            env=environment(folder, variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for program in programs
    ]
    said = [each.communicate()[0] for each in running]
    assert [each.returncode for each in running] == [0, 0], said
    told = re.search(r"([\d,]+) runs:", said[1])
    assert told is not None, said[1]
    return int(told[1])


def test_agents_and_recordings_end_alike_by_the_streams_and_by_their_events_alone(
    sink: SinkOptions, tmp_path: Path
) -> None:
    assert sink.kafka is not None
    assert sink.prefix is not None
    variables = {"TAILRACE_KAFKA": sink.kafka, "TAILRACE_PREFIX": sink.prefix}
    turns = run_agents(tmp_path, variables)
    for recording in recordings(tmp_path):
        done = tailrace("import", str(recording), data=tmp_path, variables=variables)
        assert done.returncode == 0, done.stderr
    client = stored(sink, tmp_path, Limits(), agree)
    assert comparable(closed_executions(client)) == comparable(ended_by_events(client))
    executions = [(row["trace_id"], row["root_run_id"]) for row in closed_executions(client)]
    found = asyncio.run(wait_until_complete(client, executions, 0.0))
    assert (len(found.complete), found.abandoned, found.waiting) == (len(executions), (), ())

    now, health = health_by_deployment(client, MINUTES)
    assert now.tzinfo is not None
    started: Counter[str] = Counter()
    for row in health:
        started[row.component] += row.started
    expected = Counter({name: count for name, (count, _) in way_agents.ROOTS.items()})
    expected["support"] += turns
    assert {name: started[name] for name in expected} == expected
    assert sum(row.closed for row in health) == len(executions)
    shown = tailrace("top", "--minutes", str(MINUTES), data=tmp_path, variables=told(sink))
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "support" in shown.stdout


def told(sink: SinkOptions) -> dict[str, str]:
    assert sink.clickhouse is not None
    assert sink.database is not None
    return {"TAILRACE_CLICKHOUSE": sink.clickhouse, "TAILRACE_DATABASE": sink.database}


def test_what_is_not_stored_within_the_bound_is_waiting_and_never_complete(
    sink: SinkOptions, tmp_path: Path
) -> None:
    assert sink.kafka is not None
    assert sink.prefix is not None
    whole = fleet(3)
    lacking = run_records(steps=2, component="lacking")
    body = "b" * 64
    bodiless = run_records(component="bodiless", step_fields={"bodies": [body]})
    silent = run_records(component="silent", end=None)
    kept = [record for at, record in enumerate(lacking) if at != 1]
    write(sink.kafka, sink.prefix, [*whole, *kept, *bodiless, *silent])
    limits = Limits(abandon_ms=1_000)
    client = stored(
        sink,
        tmp_path,
        limits,
        lambda each: (
            len(closed_executions(each)) >= 5 and len(closed_executions(each, "abandoned")) >= 1
        ),
    )
    ended = closed_executions(client)
    [gone] = closed_executions(client, "abandoned")
    executions = [(row["trace_id"], row["root_run_id"]) for row in [*ended, gone]]
    open_one = ("9" * 32, "8" * 32)
    found = asyncio.run(wait_until_complete(client, [*executions, open_one], 0.3))
    by_component = {(row["trace_id"], row["root_run_id"]): row["component"] for row in ended}
    waiting = [by_component.get(each, "open") for each in found.waiting]
    assert sorted(waiting) == ["bodiless", "lacking", "open"]
    assert len(found.complete) == 3
    assert [state.status for state in found.abandoned] == ["abandoned"]
    states = {by_component.get((s.trace_id, s.root_run_id), ""): s for s in states_of(client)}
    lacks = states["lacking"]
    assert (lacks.expected_events, lacks.stored_events) == (4, 3)
    assert states["bodiless"].bodies_missing == 1


def states_of(client: Client) -> list[Any]:
    rows = [*closed_executions(client), *closed_executions(client, "abandoned")]
    return execution_states(client, [row["trace_id"] for row in rows])


def test_quantiles_of_merged_windows_are_those_of_the_streams() -> None:
    counts: dict[str, int] = {}
    for each in range(1, 5_000, 7):
        counts[bucket(each)] = counts.get(bucket(each), 0) + 1
    for share in (0.0, 0.5, 0.95, 0.99, 1.0):
        assert [quantile(counts, share)] == quantiles(counts, (share,))
    assert quantile({}, 0.5) is None
