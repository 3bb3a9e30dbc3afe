"""Forgetting on the real broker and engine: out of every table, and no rebuild undoes it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from support.ledgers import read_ledger
from support.log import read_all
from support.log_journal import create_topics, fleet, run_records, write
from support.log_sinks import archive
from tailrace.console.cli import main
from tailrace.schemas.catalog import latest
from tailrace.schemas.topics import FORGOTTEN
from tailrace.schemas.wire import decode, encode
from tailrace.sinks.clickhouse import ask, connect
from tailrace.sinks.forget import forget, forget_again
from tailrace.sinks.rebuild import rebuild
from tailrace.sinks.sink import SinkOptions
from tailrace.sinks.tables import BODIES, DEAD_LETTERS, EVENTS

if TYPE_CHECKING:
    from support.log_journal import Keyed

GONE, KEPT = "ab" * 16, "cd" * 16
OWN, SHARED = "1" * 64, "2" * 64
PERSONAL = "parcel-of-Ada"
RETENTION = timedelta(days=30)
SEGMENT = timedelta(days=7)


@pytest.fixture
def options(kafka: str, clickhouse: str, database: str, topic_prefix: str) -> SinkOptions:
    create_topics(kafka, topic_prefix)
    found = SinkOptions(kafka=kafka, clickhouse=clickhouse, database=database, prefix=topic_prefix)
    gone = run_records(trace_id=GONE, payload=f'"{PERSONAL}"', end_fields={"bodies": [OWN, SHARED]})
    kept = run_records(trace_id=KEPT, end_fields={"bodies": [SHARED]})
    corrupt = ("steps", GONE.encode(), gone[1][2][:-3])
    put(found, [*gone, *kept, corrupt, *fleet(5), body(OWN, GONE), body(SHARED, GONE)])
    asyncio.run(archive(found))
    asyncio.run(archive(found))  # the dead letter's own row
    return found


def put(options: SinkOptions, records: list[Keyed]) -> None:
    assert options.kafka is not None
    assert options.prefix is not None
    write(options.kafka, options.prefix, records)


def body(sha256: str, trace_id: str) -> Keyed:
    fields = {"sha256": sha256, "trace_id": trace_id, "content": f'"{PERSONAL} {sha256}"'}
    return "bodies", sha256.encode(), encode(latest("body"), fields)


def stored(options: SinkOptions) -> tuple[int, int, list[str], int]:
    """Return the trace's events, all events, the bodies and the dead letters."""
    client = connect(options.clickhouse, options.database)
    try:
        [row] = ask(
            client,
            "SELECT countIf(trace_id = {gone:String}) AS gone, count() AS every FROM events",
            {"gone": GONE},
        )
        bodies = [row["sha256"] for row in ask(client, "SELECT sha256 FROM bodies ORDER BY sha256")]
        [letters] = ask(client, "SELECT count() AS rows FROM dead_letters")
        return row["gone"], row["every"], bodies, letters["rows"]
    finally:
        client.close()


def test_a_forgotten_trace_is_gone_with_the_bodies_that_nobody_else_uses(
    options: SinkOptions,
) -> None:
    assert stored(options) == (5, 35, [OWN, SHARED], 1)
    began = datetime.now(UTC)

    done = asyncio.run(forget(options, [GONE], actor="Ada", reason="request 7"))

    assert stored(options) == (0, 30, [SHARED], 0)
    assert (done.erased.events, done.erased.bodies) == (5, 1)
    date = done.gone_by[f"{options.prefix}runs"]
    assert date is not None
    assert RETENTION < date - began < RETENTION + SEGMENT + timedelta(hours=1)
    assert options.kafka is not None
    [record] = read_all(options.kafka, FORGOTTEN.name(options.prefix), count=1)
    _, fields = decode(record)
    assert (fields["trace_id"], fields["actor"], fields["reason"]) == (GONE, "Ada", "request 7")
    assert (fields["events"], fields["bodies"]) == (5, 1)
    assert PERSONAL.encode() not in record


def test_no_rebuild_brings_a_forgotten_trace_back_and_the_ledger_knows_it(
    options: SinkOptions,
) -> None:
    asyncio.run(forget(options, [GONE], actor="Ada"))

    asyncio.run(rebuild(options, [EVENTS, BODIES, DEAD_LETTERS]))
    assert stored(options) == (0, 30, [SHARED], 0)
    asyncio.run(rebuild(options, [BODIES]))
    assert stored(options) == (0, 30, [SHARED], 0)

    read = read_ledger(options)
    assert read.lost == []
    assert read.whole
    assert read.sum("forgotten") >= 6


def test_what_comes_of_a_forgotten_trace_later_is_erased_by_telling_again(
    options: SinkOptions,
) -> None:
    asyncio.run(forget(options, [GONE], actor="Ada"))
    put(options, run_records(trace_id=GONE, payload=f'"{PERSONAL} again"'))
    asyncio.run(archive(options))
    assert stored(options)[0] == 5

    number, erased = asyncio.run(forget_again(options))

    assert (number, erased.events) == (1, 5)
    assert stored(options) == (0, 30, [SHARED], 0)


def test_compacted_topics_get_tombstones_for_the_keys_of_the_trace(options: SinkOptions) -> None:
    keys = [f"s:{GONE}:{'1' * 32}:0", f"s:{GONE}:{'1' * 32}:1", f"s:{KEPT}:{'2' * 32}:0"]
    put(options, [("snapshot_rows", key.encode(), b"content") for key in keys])

    assert asyncio.run(forget(options, [GONE], actor="Ada")).tombstones == 2
    assert asyncio.run(forget(options, [GONE], actor="Ada")).tombstones == 0


def test_the_command_asks_and_without_anyone_to_ask_erases_nothing(
    options: SinkOptions, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TAILRACE_KAFKA", options.kafka or "")
    monkeypatch.setenv("TAILRACE_CLICKHOUSE", options.clickhouse or "")
    monkeypatch.setenv("TAILRACE_DATABASE", options.database or "")
    monkeypatch.setenv("TAILRACE_PREFIX", options.prefix or "")
    before = stored(options)

    assert main(["forget", GONE]) == 1
    assert "say --yes" in capfd.readouterr().err
    assert stored(options) == before

    assert main(["forget", GONE[:12], "--yes"]) == 0
    out = capfd.readouterr().out
    assert "forgot 1 trace: 5 events and 1 body erased" in out
    assert "the log has lost them by 20" in out
    assert stored(options) == (0, 30, [SHARED], 0)
