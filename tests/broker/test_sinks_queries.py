from __future__ import annotations

import asyncio
import hashlib
import io
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from support.log_journal import START_US, Keyed, create_topics, run_records, write
from support.log_sinks import archive
from tailrace.schemas.catalog import latest
from tailrace.schemas.wire import encode
from tailrace.sinks.clickhouse import NotMigratedError, connect, tell
from tailrace.sinks.queries.count_events import count_events
from tailrace.sinks.queries.error_rates import ErrorRate, error_rates
from tailrace.sinks.queries.export import export_jsonl, export_parquet
from tailrace.sinks.queries.list_traces import ListedTrace, TraceFilter, list_traces
from tailrace.sinks.queries.raw_events import raw_events
from tailrace.sinks.queries.read_trace import read_trace
from tailrace.sinks.queries.stored_runs import stored_runs
from tailrace.sinks.queries.tool_calls_by_name import ToolCalls, tool_calls_by_name
from tailrace.sinks.queries.trace_id import AmbiguousTraceError, UnknownTraceError
from tailrace.sinks.sink import SinkOptions

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

START = datetime.fromtimestamp(START_US / 1e6, UTC)
OK, FAILED, OPEN, GAP, CHILD = (f"{digit}" * 32 for digit in "abcde")
LOST = "eef" + "0" * 29
BODY = json.dumps({"text": "the quick brown fox"})
SHA = hashlib.sha256(BODY.encode()).hexdigest()


def at(seconds: int) -> int:
    return START_US + seconds * 1_000_000


def at_time(seconds: int) -> datetime:
    return START + timedelta(seconds=seconds)


def journal() -> list[Keyed]:
    """One execution of each sort, every record twice in the log."""
    whole = run_records(
        trace_id=OK,
        run_id="1" * 32,
        session="s-1",
        tags=["vip"],
        deployment="d" * 64,
        step_fields={"input": f'{{"$body":"{SHA}"}}', "bodies": [SHA], "input_tokens": 5},
    )
    body = encode(latest("body"), {"sha256": SHA, "trace_id": OK, "content": BODY})
    failed = run_records(
        trace_id=FAILED,
        run_id="2" * 32,
        start_us=at(10),
        end="run_failed",
        failed_steps=2,
        component="billing",
        end_fields={"error_type": "LookupError", "error_message": "no such Order"},
    )
    still_open = run_records(trace_id=OPEN, run_id="3" * 32, start_us=at(20), end=None)
    gap = run_records(trace_id=GAP, run_id="4" * 32, start_us=at(30))
    del gap[2]
    parent = run_records(
        trace_id=CHILD, run_id="5" * 32, start_us=at(40), end_fields={"children": ["6" * 32]}
    )
    child = run_records(
        trace_id=CHILD,
        run_id="6" * 32,
        root_run_id="5" * 32,
        parent_run_id="5" * 32,
        component="child",
        start_us=at(41),
        end=None,
    )
    lost = run_records(
        trace_id=LOST, run_id="7" * 32, start_us=at(50), step_fields={"bodies": ["9" * 64]}
    )
    once = [*whole, ("bodies", b"x", body), *failed, *still_open, *gap, *parent, *child, *lost]
    return once + once


@pytest.fixture(scope="module")
def client(kafka: str, clickhouse: str) -> Client:
    prefix = f"queries{START_US}."
    database = "queries"
    create_topics(kafka, prefix)
    # Two sinkings, so that repeats lie in parts of their own; merges are stopped to keep them.
    options = SinkOptions(kafka=kafka, clickhouse=clickhouse, database=database, prefix=prefix)
    records = journal()
    half = len(records) // 2
    write(kafka, prefix, records[:half])
    asyncio.run(archive(options))
    found = connect(clickhouse, database)
    for table in ("events", "bodies"):
        tell(found, "SYSTEM STOP MERGES {table:Identifier}", {"table": table})
    write(kafka, prefix, records[half:])
    asyncio.run(archive(options))
    return found


def only(client: Client, **asked: Any) -> list[str]:
    return [row.trace_id for row in list_traces(client, TraceFilter(**asked))]


def row_of(client: Client, trace_id: str) -> ListedTrace:
    return next(row for row in list_traces(client) if row.trace_id == trace_id)


def test_repeats_lie_in_the_table_and_are_counted_once(client: Client) -> None:
    counts = count_events(client)
    assert counts.rows == 2 * counts.events
    assert counts.runs == 7
    assert counts.executions == 6
    assert tool_calls_by_name(client) == [ToolCalls("find_order", 20, 2)]
    assert tool_calls_by_name(client, "billing") == [ToolCalls("find_order", 3, 2)]


def test_errors_are_counted_by_deployment_within_a_time(client: Client) -> None:
    found = error_rates(client, START, at_time(60))
    assert ErrorRate("dev", "support", "d" * 64, 1, 0) in found
    assert ErrorRate("dev", "billing", "", 1, 1) in found
    assert sum(rate.ended for rate in found) == 5
    [billing] = error_rates(client, START, at_time(60), component="billing")
    assert billing.rate == 1
    assert error_rates(client, at_time(60), at_time(90)) == []


def test_a_list_reaches_back_as_far_as_it_must(
    kafka: str, clickhouse: str, database: str, topic_prefix: str
) -> None:
    create_topics(kafka, topic_prefix)
    options = SinkOptions(
        kafka=kafka, clickhouse=clickhouse, database=database, prefix=topic_prefix
    )
    now = datetime.now(UTC)
    ages = [timedelta(minutes=1), timedelta(hours=2), timedelta(days=2), timedelta(days=40)]
    begins = [now - age for age in ages]
    records = [
        record
        for number, begun in enumerate(begins)
        for record in run_records(
            trace_id=f"{number}" * 32, start_us=int(begun.timestamp() * 1e6), attempt=number
        )
    ]
    # Begun long ago and still at it: in the last hour it seems to be the newest.
    late = timedelta(days=30)
    long = run_records(
        trace_id="9" * 32,
        start_us=int((now - late).timestamp() * 1e6),
        attempt=9,
        steps=1,
        step_fields={"started_at": None, "ts": int(now.timestamp() * 1e6)},
        end=None,
    )
    # Repeats within one insert, which the engine keeps until it merges.
    write(kafka, topic_prefix, [*records, *records, *long])
    asyncio.run(archive(options))
    found = connect(clickhouse, database)

    def listed(limit: int, **asked: Any) -> list[int]:
        return [row.attempt for row in list_traces(found, TraceFilter(**asked), limit)]

    for limit in range(1, 6):
        assert listed(limit) == [0, 1, 2, 9, 3][:limit]
        assert listed(limit, outcome="ok", component="support") == [0, 1, 2, 3][:limit]
        assert listed(limit, text="parcel") == [0, 1, 2, 9, 3][:limit]
    wanted = TraceFilter(since=begins[2] - timedelta(seconds=1))
    assert [row.attempt for row in list_traces(found, wanted)] == [0, 1, 2]
    assert tool_calls_by_name(found) == [ToolCalls("find_order", 13, 0)]
    [rate] = error_rates(found, begins[3], now + timedelta(minutes=1))
    assert rate.ended == 4


def test_traces_are_listed_newest_first_with_what_events_tell(client: Client) -> None:
    rows = list_traces(client)
    assert [row.trace_id for row in rows] == [LOST, CHILD, GAP, OPEN, FAILED, OK]
    row = rows[-1]
    assert (row.component, row.environment, row.session) == ("support", "dev", "s-1")
    assert (row.status, row.outcome, row.runs, row.steps, row.errors) == ("complete", "ok", 1, 3, 0)
    assert (row.input_tokens, row.output_tokens, row.cost_usd) == (15, None, None)
    assert (row.started_at, row.duration_us, row.tags) == (START, 4000, ("vip",))
    assert row.input == '{"question": "Where is my parcel?"}'


def test_status_tells_ended_from_complete_and_open(client: Client) -> None:
    assert only(client, status="complete") == [FAILED, OK]
    assert only(client, status="ended") == [LOST, GAP]
    assert only(client, status="open") == [CHILD, OPEN]
    assert row_of(client, GAP).events_missing == 1
    assert row_of(client, LOST).bodies_missing == 1
    assert row_of(client, CHILD).runs == 2
    assert row_of(client, CHILD).component == "support"
    assert (row_of(client, FAILED).errors, row_of(client, FAILED).outcome) == (2, "failed")
    assert row_of(client, FAILED).error_message == "no such Order"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"component": "billing"}, [FAILED]),
        ({"component": "child"}, []),
        ({"outcome": "failed"}, [FAILED]),
        ({"session": "s-1"}, [OK]),
        ({"tag": "vip"}, [OK]),
        ({"deployment": "dd"}, [OK]),
        ({"environment": "prod"}, []),
        ({"since": START + timedelta(seconds=40)}, [LOST, CHILD]),
        ({"text": "QUICK BROWN"}, [OK]),
        ({"text": "no such order"}, [FAILED]),
        ({"text": "quick brown", "since": START}, [OK]),
        ({"text": "quick brown", "since": at_time(1)}, []),
        ({"outcome": "failed", "since": START}, [FAILED]),
        ({"outcome": "failed", "since": at_time(11)}, []),
        ({"outcome": "failed", "updated_since": START}, [FAILED]),
        ({"outcome": "ok", "component": "support", "status": "complete"}, [OK]),
        ({"text": "%' OR 1=1 --"}, []),
        ({"text": "qu_ck"}, []),
        ({"text": "quick%fox"}, []),
        ({"text": "quick\\"}, []),
        ({"component": "support", "status": "open", "text": "parcel"}, [CHILD, OPEN]),
    ],
)
def test_filters_choose(client: Client, asked: dict[str, Any], expected: list[str]) -> None:
    assert only(client, **asked) == expected


def test_what_arrived_since_the_last_look_is_asked_by_the_broker_s_time(client: Client) -> None:
    newest = max(row.updated_at for row in list_traces(client))
    assert 1 <= len(only(client, updated_since=newest)) <= 6
    assert only(client, updated_since=newest + timedelta(seconds=1)) == []


def test_a_trace_is_read_by_the_beginning_of_its_id(client: Client) -> None:
    trace = read_trace(client, "aaa")
    assert trace.trace_id == OK
    assert [found.seq for found in trace.events] == [0, 1, 2, 3, 4]
    assert trace.bodies == {SHA: BODY}
    assert trace.payload(trace.events[1].input) == {"text": "the quick brown fox"}
    assert trace.unreadable == ()


def test_an_unknown_and_an_ambiguous_id_are_said(client: Client) -> None:
    with pytest.raises(UnknownTraceError, match="no trace 123 is stored"):
        read_trace(client, "123")
    with pytest.raises(UnknownTraceError, match="is no trace id"):
        read_trace(client, "xyz")
    with pytest.raises(AmbiguousTraceError, match=f"begin with EE: {CHILD}, {LOST}") as found:
        read_trace(client, "EE")
    assert found.value.candidates == (CHILD, LOST)
    assert read_trace(client, CHILD).trace_id == CHILD


def test_raw_events_name_their_place(client: Client) -> None:
    rows = raw_events(client, OK)
    assert len(rows) == 5
    assert len(raw_events(client, OK, repeats=True)) == 10
    assert all(row["topic"].endswith(("runs", "steps")) and row["log_id"] for row in rows)


def test_runs_that_are_stored_to_their_end_are_known(client: Client) -> None:
    asked = [f"{number}" * 32 for number in range(1, 10)]
    assert stored_runs(client, asked) == {asked[0], asked[1], asked[3], asked[4], asked[6]}
    assert stored_runs(client, []) == set()


def test_an_export_has_each_event_once_with_its_payloads(client: Client) -> None:
    lines = [json.loads(line) for line in export_jsonl(client)]
    assert len(lines) == count_events(client).events
    [first, second, *_] = [line for line in lines if line["trace_id"] == OK]
    assert first["input"] == {"question": "Where is my parcel?"}
    assert second["input"] == {"text": "the quick brown fox"}
    assert first["ts"] == START.isoformat()
    assert len(list(export_jsonl(client, [FAILED]))) == 5


def test_an_export_as_parquet_is_read_by_others(client: Client) -> None:
    read: Any = pq  # pyarrow ships no types
    table = read.read_table(io.BytesIO(b"".join(export_parquet(client))))
    assert table.num_rows == count_events(client).events
    chosen = b"".join(export_parquet(client, [OK]))
    assert read.read_table(io.BytesIO(chosen)).num_rows == 5


def test_before_the_first_migration_a_question_says_what_to_do(clickhouse: str) -> None:
    with pytest.raises(NotMigratedError, match="start `tailrace sink`"):
        list_traces(connect(clickhouse, "nothing_here"))
