"""Pointers in ClickHouse: the views agree with the fold of the log that every router makes."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from support.log_journal import create_topics, run_records, write
from support.log_sinks import archive
from tailrace.producers.routing.pointers import WHOLE, Control
from tailrace.schemas.catalog import latest
from tailrace.schemas.wire import encode
from tailrace.sinks.clickhouse import ask, connect, tell
from tailrace.sinks.queries.pointer_history import pointer_history
from tailrace.sinks.queries.routing_move import routing_move
from tailrace.sinks.sink import SinkOptions

if TYPE_CHECKING:
    from support.log_journal import Keyed

NOW = datetime(2026, 11, 26, tzinfo=UTC)
POINTERS = (("prod", "support"), ("prod", "helper"), ("staging", "support"))
RECORDS = 400


def made_up(chance: random.Random, control: Control) -> tuple[str, dict[str, Any]]:
    """Return a record of control: often a move that counts, often one that must not."""
    environment, component = chance.choice(POINTERS)
    pointer = control.pointer(environment, component)
    base = {"environment": environment, "component": component, "actor": "ada", "ts": NOW,
            "actor_kind": chance.choice(["person", "person", "automaton"])}  # fmt: skip
    what = chance.random()
    if what < 0.04:
        return "pointer_frozen", {**base, "freeze_id": str(chance.random())}
    if what < 0.2:
        return "pointer_unfrozen", {**base, "unfreeze_id": str(chance.random())}
    names = chance.sample(["a", "b", "c", "d"], chance.randint(1, 2))
    first = chance.choice([10_000] * 6 + [9_000, 0, 10_001]) if len(names) == 1 else 4_000
    if chance.random() < 0.05:  # whole only where a sum of 64 bits runs over
        names, first = ["a", "b", "c"], 2**63 - 1
    return "pointer_moved", {
        **base,
        "move_id": chance.choice([str(chance.random())] * 8 + list(control.rulings)[-2:]),
        "weights": dict(
            zip(names, (first, 6_000 if first < WHOLE else first, 2 + WHOLE), strict=False)
        ),
        "decided_on": chance.choice([pointer.revision] * 12 + [pointer.revision - 1, -1]),
        "intent": chance.choice(["promote", "rollback"]),
        "rolled_back": chance.sample(["a", "b", "c"], int(chance.random() < 0.3)),
        "salt": "s",
    }


@pytest.fixture
def options(kafka: str, clickhouse: str, database: str, topic_prefix: str) -> SinkOptions:
    create_topics(kafka, topic_prefix)
    return SinkOptions(kafka=kafka, clickhouse=clickhouse, database=database, prefix=topic_prefix)


def test_the_views_say_what_every_reader_of_the_log_says(options: SinkOptions) -> None:
    chance, control = random.Random(3), Control()  # noqa: S311 - a test's dice
    records: list[Keyed] = []
    for offset in range(RECORDS):
        name, record = made_up(chance, control)
        records.append(("control", record["component"].encode(), encode(latest(name), record)))
        control.apply(offset, name, record)
    routed: dict[str, tuple[int, str]] = {}
    for number in range(60):
        environment, component = chance.choice(POINTERS)
        offset = chance.randrange(-1, RECORDS)
        standing = control.pointer(environment, component).as_of(offset)
        revision = -1 if standing is None else standing.revision
        run_id = f"{number:032x}"
        routed[run_id] = (revision, environment)
        records += run_records(
            run_id=run_id, trace_id=run_id, component=component, environment=environment,
            control_offset=offset, deployment=chance.choice("abcd"), steps=0,
        )  # fmt: skip
    assert options.kafka is not None
    write(options.kafka, options.prefix or "", records)
    asyncio.run(archive(options))
    client = connect(options.clickhouse, options.database)
    # A row that is stored twice changes nothing.
    tell(client, "INSERT INTO pointer_moves SELECT * FROM pointer_moves WHERE offset % 3 = 0")
    found: dict[tuple[str, str], list[tuple[int, dict[str, int]]]] = {}
    for row in ask(client, "SELECT * FROM pointer_revisions ORDER BY revision"):
        key = (row["environment"], row["component"])
        found.setdefault(key, []).append((row["revision"], dict(row["weights"])))
    expected = {
        key: [(standing.revision, dict(standing.weights)) for standing in pointer.standings]
        for key, pointer in control.pointers.items()
    }
    assert found == expected
    assert sum(map(len, expected.values())) > RECORDS / 4
    for (environment, component), standings in expected.items():
        history = pointer_history(client, component, environment, RECORDS)
        told = [(each.revision, each.weights, each.weights_before) for each in reversed(history)]
        before = [{}, *(weights for _, weights in standings)]
        assert told == [(*each, was) for each, was in zip(standings, before, strict=False)]
    newest = max(revision for standings in expected.values() for revision, _ in standings)
    assert [each.revision for each in pointer_history(client, limit=1)] == [newest]
    rows = ask(
        client,
        "SELECT run_id, revision, environment, weights, deployment, by_pointer FROM routed_runs",
    )
    assert {row["run_id"]: (row["revision"], row["environment"]) for row in rows} == routed
    assert all(row["by_pointer"] == (row["deployment"] in row["weights"]) for row in rows)
    run_id = next(each for each, (revision, _) in routed.items() if revision >= 0)
    move = routing_move(client, run_id)
    assert move is not None
    assert (move.revision, move.moved_by) == (routed[run_id][0], "ada")
    assert routing_move(client, "f" * 32) is None
