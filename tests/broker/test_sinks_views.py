"""The views for people: each fact once however often it lies in the log, and the gaps by name."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from support.log_journal import START_US, Keyed, create_topics, run_records, write
from support.log_sinks import archive
from tailrace.sinks.clickhouse import ask, connect, tell
from tailrace.sinks.sink import SinkOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickhouse_connect.driver.client import Client

ROOT, CHILD, FAILED, HOLED, LONELY = (f"{digit}" * 32 for digit in "12345")
LOST_CHILD, LOST_PARENT = "8" * 32, "9" * 32
MODEL = {"step_kind": "llm", "name": "chat", "provider": "p", "model": "m", "input_tokens": 5}


def later(seconds: int) -> int:
    return START_US + seconds * 1_000_000


def journal() -> list[Keyed]:
    """A parent with a child, a failure and a replay of one session; three sorts of gaps."""
    session: dict[str, Any] = {"session": "s-1", "tenant": "acme"}
    lots = [
        run_records(
            trace_id="a" * 32, run_id=ROOT, steps=2, step_fields=MODEL, **session,
            end_fields={"children": [CHILD], "run_input_tokens": 10, "run_cost_usd": 0.5},
        ),
        run_records(
            trace_id="a" * 32, run_id=CHILD, root_run_id=ROOT, parent_run_id=ROOT,
            component="helper", start_us=later(1), **session,
        ),
        run_records(
            trace_id="b" * 32, run_id=FAILED, start_us=later(2), end="run_failed",
            failed_steps=2, **session,
        ),
        run_records(
            trace_id="b" * 32, run_id="6" * 32, start_us=later(3), replay_of=FAILED, **session
        ),
        run_records(
            trace_id="c" * 32, run_id=HOLED, start_us=later(4),
            end_fields={"children": [LOST_CHILD]},
        ),
        run_records(
            trace_id="d" * 32, run_id=LONELY, root_run_id=LOST_PARENT, parent_run_id=LOST_PARENT,
            start_us=later(5), end=None,
        ),
    ]  # fmt: skip
    del lots[4][2:4]
    return [record for lot in lots for record in lot]


@pytest.fixture(scope="module")
def stored(kafka: str, clickhouse: str) -> Iterator[Client]:
    options = SinkOptions(kafka=kafka, clickhouse=clickhouse, database="views", prefix="views.")
    create_topics(kafka, "views.")
    records = journal()
    # Twice in the log, and once more in the table: another part, which no merge has met.
    write(kafka, "views.", [*records, *records])
    asyncio.run(archive(options))
    client = connect(clickhouse, "views")
    tell(client, "SYSTEM STOP MERGES")
    tell(client, "INSERT INTO events SELECT * FROM events WHERE seq > 1")
    yield client
    tell(client, "SYSTEM START MERGES")
    tell(client, "DROP DATABASE views SYNC")
    client.close()


def rows(client: Client, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in ask(client, sql)]


def test_runs_and_steps_stand_once_with_how_they_ended(stored: Client) -> None:
    assert rows(
        stored, "SELECT run_id, outcome, steps, errors, duration_us FROM runs ORDER BY started_at"
    ) == [
        (ROOT, "ok", 2, 0, 3000),
        (CHILD, "ok", 3, 0, 4000),
        (FAILED, "failed", 3, 2, 4000),
        ("6" * 32, "ok", 3, 0, 4000),
        (HOLED, "ok", 3, 0, 4000),
    ]
    assert rows(
        stored,
        "SELECT name, outcome, count() AS n FROM steps WHERE component = 'support' "
        "GROUP BY ALL ORDER BY ALL",
    ) == [
        ("chat", "ok", 2),
        ("find_order", "failed", 2),
        ("find_order", "ok", 8),
    ]


def test_calls_of_models_and_of_tools_are_steps_of_their_kind(stored: Client) -> None:
    assert rows(
        stored,
        "SELECT run_id, model, sum(input_tokens) AS tokens, sum(cost_usd) AS cost FROM llm_calls "
        "GROUP BY ALL",
    ) == [(ROOT, "m", 10, None)]
    [(calls, failed)] = rows(
        stored, "SELECT count() AS calls, countIf(outcome = 'failed') AS failed FROM tool_calls"
    )
    assert (calls, failed) == (13, 2)


def test_a_session_is_its_executions_without_replays(stored: Client) -> None:
    assert rows(
        stored,
        "SELECT environment, tenant, session, components, executions, failed, runs, steps, errors, "
        "input_tokens, output_tokens, cost_usd FROM sessions",
    ) == [("dev", "acme", "s-1", ["support"], 2, 1, 3, 8, 2, 10, None, 0.5)]


def test_gaps_name_what_is_known_and_not_stored(stored: Client) -> None:
    found = "SELECT run_id, what, missing, named FROM gaps ORDER BY run_id, what"
    assert rows(stored, found) == [
        (HOLED, "child", 1, LOST_CHILD),
        (HOLED, "events", 2, ""),
        (LONELY, "parent", 1, LOST_PARENT),
    ]
    one = ask(
        stored, "SELECT what FROM gaps WHERE trace_id = {trace_id:String}", {"trace_id": "d" * 32}
    )
    assert one == [{"what": "parent"}]


def test_a_question_of_one_trace_reads_its_range_alone(stored: Client) -> None:
    for view in ("runs", "steps", "llm_calls", "tool_calls", "gaps"):
        plan = ask(
            stored,
            "EXPLAIN indexes = 1 "
            "SELECT * FROM {view:Identifier} WHERE trace_id = {trace_id:String}",
            {"view": view, "trace_id": "a" * 32},
        )
        text = "\n".join(str(row["explain"]) for row in plan)
        assert "trace_id in ['" in text, f"{view}\n{text}"
