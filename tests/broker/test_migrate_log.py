"""A log that was moved between two real clusters is the same log there, whatever lay in it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import OffsetAndMetadata

from support.ledgers import read_ledger
from support.log_journal import create_topics, fleet, write, write_async
from support.log_moves import (
    assert_same,
    bounds,
    commit,
    commits,
    configure,
    delete_below,
    exists,
    first_record,
    move,
    partition,
    pointer_move,
    rows,
    send_in_transactions,
    spawn_move,
)
from support.log_sinks import archive, rows_and_identities, running_sink
from support.stack import address_of, running_kafka
from support.waiting import wait_until
from tailrace.console.cli import main
from tailrace.console.moving import moving
from tailrace.console.moving.appending import Appender, EndMovedError, producer_id
from tailrace.console.moving.errors import MoveRefusedError
from tailrace.console.moving.placing import Filler
from tailrace.console.moving.transfer import Transfer
from tailrace.schemas.catalog import latest
from tailrace.schemas.lineage import Lineage, LogMovedAwayError
from tailrace.schemas.wire import encode
from tailrace.sinks.archive.log_identity import AnotherLogError, check_cluster
from tailrace.sinks.clickhouse import ask, connect
from tailrace.sinks.forget import forget
from tailrace.sinks.queries.dead_letters import list_dead_letters
from tailrace.sinks.rebuild import rebuild
from tailrace.sinks.sink import SinkOptions, wait_until_stored
from tailrace.sinks.tables import POINTER_MOVES, SCORES, TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACE = "ab" * 16
ROWS = "SELECT * FROM {table:Identifier} ORDER BY topic, partition, offset"
KEPT = 40
"""Records below which the beginning of `runs` is trimmed."""


@pytest.fixture(scope="module")
def old_cluster() -> Iterator[str]:
    with running_kafka() as member:
        address = address_of(member)
        asyncio.run(configure(address, "", {"log.cleaner.backoff.ms": "100"}))
        yield address


@pytest.fixture
def old(old_cluster: str, topic_prefix: str) -> str:
    create_topics(old_cluster, topic_prefix, partitions=1)
    return old_cluster


@pytest.fixture
def before(old: str, clickhouse: str, database: str, topic_prefix: str) -> SinkOptions:
    """A sink of the old cluster."""
    return SinkOptions(kafka=old, clickhouse=clickhouse, database=database, prefix=topic_prefix)


@pytest.fixture
def after(kafka: str, clickhouse: str, database: str, topic_prefix: str) -> SinkOptions:
    """A sink of the new cluster, into the same tables."""
    return SinkOptions(kafka=kafka, clickhouse=clickhouse, database=database, prefix=topic_prefix)


def score(number: int) -> bytes:
    return encode(latest("score"), {"score_id": f"{number}", "trace_id": TRACE})


def stored(options: SinkOptions) -> dict[str, list[dict[str, Any]]]:
    """Return every row as it lies there, so that one that is there twice is two.

    But dead letters: a range that is sent again tells of its bad records again.
    """
    client = connect(options.clickhouse, options.database)
    try:
        rows = {table.name: ask(client, ROWS, {"table": table.name}) for table in TABLES}
        del rows["dead_letters"]
        return rows
    finally:
        client.close()


def letters(options: SinkOptions) -> list[tuple[str, int, int]]:
    """Return what was put aside, each record once."""
    client = connect(options.clickhouse, options.database)
    try:
        return [
            (each.source_topic, each.source_partition, each.source_offset)
            for each in list_dead_letters(client)
        ]
    finally:
        client.close()


def compact(old: str, prefix: str) -> None:
    """Write a compacted topic whose older records are gone, as the broker's cleaner does it."""
    where = partition(prefix, "windows")
    quick = {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01"}
    asyncio.run(configure(old, where.topic, quick))
    write(old, prefix, [("windows", b"%d" % (number % 3), b"old") for number in range(20)])
    newer = iter(range(10_000))

    def holes() -> bool:
        write(old, prefix, [("windows", b"new", b"%d" % next(newer))])
        offsets = [row[0] for row in asyncio.run(rows(old, where))]
        return len(offsets) < offsets[-1] + 1

    # A segment closes when a record comes that is younger than it by `segment.ms`.
    wait_until(holes, "compaction takes records out", timeout_s=60, poll_s=0.15)


def test_a_sink_goes_on_at_the_new_cluster_and_stores_nothing_twice(
    old: str, kafka: str, before: SinkOptions, after: SinkOptions, topic_prefix: str
) -> None:
    journal = fleet(60)
    corrupt = ("steps", TRACE.encode(), journal[1][2][:20])
    write(old, topic_prefix, [*journal, corrupt, *map(pointer_move, range(5))])
    portions = [[score(number), score(number + 10)] for number in range(4)]
    asyncio.run(
        send_in_transactions(old, f"{topic_prefix}scores", portions, aborted=[1, 3], headers=True)
    )
    compact(old, topic_prefix)
    runs, steps = partition(topic_prefix, "runs"), partition(topic_prefix, "steps")
    # Announced as a whole, so that the same range can be left pending below.
    pending = OffsetAndMetadata(0, f"1 pending 0-{asyncio.run(bounds(old, steps))[1] - 1}")
    asyncio.run(commit(old, before.group_id, {steps: pending}))
    asyncio.run(archive(before))
    asyncio.run(archive(before))  # the dead letter's own row
    was, aside = stored(before), letters(before)
    counts = {name: len(lines) for name, lines in was.items() if lines}
    assert counts == {"events": 300, "scores": 4, "pointer_moves": 5}
    assert len(aside) == 1
    # As after a kill between the insert and its commit, and with the oldest records expired.
    asyncio.run(commit(old, before.group_id, {steps: pending}))
    asyncio.run(delete_below(old, {runs: KEPT}))

    moved = asyncio.run(move(old, kafka, topic_prefix, switch=True))

    assert moved.switched
    assert moved.amounts.fillers > KEPT + 4
    for suffix in ("runs", "steps", "scores", "windows", "control", "dead_letters", "schemas"):
        asyncio.run(assert_same(old, kafka, partition(topic_prefix, suffix)))
    there = asyncio.run(commits(kafka, after.group_id))
    assert there == asyncio.run(commits(old, before.group_id))
    assert there[steps] == pending
    asyncio.run(archive(after))
    [log_move] = stored(after)["log_moves"]
    assert stored(after) == {**was, "log_moves": [log_move]}
    assert log_move["log_id"] == log_move["old_cluster_id"] == was["events"][0]["log_id"]
    assert letters(after) == aside

    write(kafka, topic_prefix, fleet(5))
    asyncio.run(archive(after))
    assert rows_and_identities(after, "events", "trace_id", "run_id", "seq") == (325, 325)
    assert {row["log_id"] for row in stored(after)["events"]} == {log_move["log_id"]}
    ledger = read_ledger(after)
    assert ledger.whole, ledger.lost
    asyncio.run(rebuild(after, [SCORES, POINTER_MOVES]))
    for name in ("scores", "pointer_moves"):
        assert stored(after)[name] == was[name]
    asyncio.run(forget(after, [TRACE], actor="me"))
    assert not stored(after)["scores"]
    assert read_ledger(after).whole

    with pytest.raises(LogMovedAwayError, match="moved to the cluster"):
        asyncio.run(archive(before))
    client = connect(after.clickhouse, after.database)
    restored = Lineage((log_move["old_cluster_id"],))  # from a backup that knows of no move
    with pytest.raises(AnotherLogError, match=f"lives on the cluster {log_move['new_cluster_id']}"):
        check_cluster(client, restored, topic_prefix)
    client.close()


def test_a_move_that_is_killed_goes_on_where_it_was(
    old: str, kafka: str, topic_prefix: str
) -> None:
    write(old, topic_prefix, [("bodies", b"k", b"%0500d" % number) for number in range(20_000)])
    bodies = partition(topic_prefix, "bodies")
    process = spawn_move(old, kafka, topic_prefix)
    try:
        wait_until(
            lambda: asyncio.run(exists(kafka, bodies.topic)), "the move has topics", timeout_s=120
        )
        asyncio.run(asyncio.wait_for(first_record(kafka, bodies), 120))
    finally:
        process.kill()
        process.wait()
    reached = asyncio.run(bounds(kafka, bodies))[1]
    assert 0 < reached < 20_000

    assert not asyncio.run(move(old, kafka, topic_prefix)).switched
    asyncio.run(assert_same(old, kafka, bodies))
    again = asyncio.run(move(old, kafka, topic_prefix))
    assert (again.amounts.copied, again.amounts.records) == (0, 0)


def test_a_request_of_a_dead_process_is_written_once_or_not_at_all(
    kafka: str, topic_prefix: str
) -> None:
    create_topics(kafka, topic_prefix, partitions=1)
    where, mover = partition(topic_prefix, "bodies"), producer_id("a", topic_prefix)
    records = [Filler(number, 1_000 + number) for number in range(30)]

    async def append(position: int, count: int) -> None:
        async with Appender({"bootstrap_servers": kafka}, where, position, mover) as appender:
            await appender.append(records[position : position + count])
            await appender.flush()

    asyncio.run(append(0, 10))
    asyncio.run(append(0, 10))  # the same request again
    with pytest.raises(EndMovedError):
        asyncio.run(append(0, 7))
    with pytest.raises(EndMovedError):
        asyncio.run(append(12, 5))
    asyncio.run(append(10, 5))
    assert asyncio.run(bounds(kafka, where)) == (0, 15)
    write(kafka, topic_prefix, [("bodies", b"k", b"somebody's")])
    with pytest.raises(MoveRefusedError, match="somebody else writes"):
        asyncio.run(append(15, 5))


def test_what_comes_during_the_copy_is_copied_too_and_a_log_in_use_does_not_switch(
    old: str, kafka: str, before: SinkOptions, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(old, topic_prefix, fleet(10))
    copy, written, told = Transfer.copy, iter(range(1_000)), list[str]()

    async def copy_and_write(transfer: Transfer, *arguments: Any) -> None:
        await copy(transfer, *arguments)
        if next(written) < limit:
            await write_async(old, topic_prefix, fleet(1))

    limit = 1
    monkeypatch.setattr(Transfer, "copy", copy_and_write)
    asyncio.run(move(old, kafka, topic_prefix, tell=told.append))
    assert told == ["5 offsets came meanwhile and are copied too"]
    limit = 1_000
    with pytest.raises(MoveRefusedError, match=r"something still writes to .*old cluster: stop"):
        asyncio.run(move(old, kafka, topic_prefix, switch=True))
    limit = 0

    async def switch_beside_a_sink() -> None:
        async with running_sink(before):
            await wait_until_stored(before)
            await move(old, kafka, topic_prefix, switch=True)

    with pytest.raises(MoveRefusedError, match=rf"members of {before.group_id} .*stop the sinks"):
        asyncio.run(switch_beside_a_sink())
    scores = f"{topic_prefix}scores"
    with pytest.raises(MoveRefusedError, match=f"a transaction is open on {scores}-0"):
        asyncio.run(
            send_in_transactions(
                old,
                scores,
                [[b"x"]],
                meanwhile=lambda: move(old, kafka, topic_prefix, switch=True),
            )
        )
    asyncio.run(archive(before))  # it lives on the old cluster still
    assert asyncio.run(move(old, kafka, topic_prefix, switch=True)).switched


def test_a_switch_that_is_killed_at_any_step_is_finished_by_the_next(
    before: SinkOptions,
    after: SinkOptions,
    topic_prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old, kafka = before.kafka or "", after.kafka or ""
    write(old, topic_prefix, [*fleet(5), *map(pointer_move, range(3))])
    asyncio.run(archive(before))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    async def seal_and_die(*arguments: Any) -> None:
        await seal(*arguments)
        raise KeyboardInterrupt

    seal = moving.seal
    for name, death in (("move_commits", killed), ("seal", killed), ("seal", seal_and_die)):
        with monkeypatch.context() as patch:
            patch.setattr(moving, name, death)
            with pytest.raises(KeyboardInterrupt):
                asyncio.run(move(old, kafka, topic_prefix, switch=True))
        with pytest.raises((AnotherLogError, KeyError, LogMovedAwayError)):
            asyncio.run(archive(after))  # not there yet
    with pytest.raises(LogMovedAwayError):
        asyncio.run(archive(before))

    assert asyncio.run(move(old, kafka, topic_prefix, switch=True)).switched
    assert asyncio.run(move(old, kafka, topic_prefix, switch=True)).switched
    asyncio.run(archive(after))
    assert rows_and_identities(after, "events", "trace_id", "run_id", "seq") == (25, 25)
    assert len(stored(after)["log_moves"]) == 1
    write(old, topic_prefix, fleet(1))
    with pytest.raises(MoveRefusedError, match=r"written to .* of the old one since"):
        asyncio.run(move(old, kafka, topic_prefix))


def test_a_log_comes_back_to_the_cluster_it_began_on(
    before: SinkOptions, after: SinkOptions, topic_prefix: str
) -> None:
    old, kafka = before.kafka or "", after.kafka or ""
    write(old, topic_prefix, [*fleet(10), *map(pointer_move, range(3))])
    portions = [[score(number), score(number + 10)] for number in range(3)]
    asyncio.run(send_in_transactions(old, f"{topic_prefix}scores", portions, aborted=[1]))
    asyncio.run(archive(before))
    assert asyncio.run(move(old, kafka, topic_prefix, switch=True)).switched
    asyncio.run(archive(after))
    write(kafka, topic_prefix, fleet(5))
    asyncio.run(archive(after))

    assert asyncio.run(move(kafka, old, topic_prefix, switch=True)).switched

    write(old, topic_prefix, fleet(2))
    asyncio.run(archive(before))
    assert rows_and_identities(before, "events", "trace_id", "run_id", "seq") == (85, 85)
    rows_now = stored(before)
    assert (len(rows_now["scores"]), len(rows_now["pointer_moves"])) == (4, 3)
    there, back = rows_now["log_moves"]
    assert there["old_cluster_id"] == back["new_cluster_id"] != back["old_cluster_id"]
    assert {row["log_id"] for row in rows_now["events"]} == {there["old_cluster_id"]}
    assert read_ledger(before).whole
    with pytest.raises(LogMovedAwayError, match="moved to the cluster"):
        asyncio.run(archive(after))


def test_a_cluster_that_holds_other_records_is_refused(
    old: str, kafka: str, topic_prefix: str
) -> None:
    write(old, topic_prefix, fleet(3))
    with pytest.raises(MoveRefusedError, match="both addresses are of the cluster"):
        asyncio.run(move(old, old, topic_prefix))
    with pytest.raises(MoveRefusedError, match="no log under this prefix"):
        asyncio.run(move(kafka, old, topic_prefix))
    create_topics(kafka, topic_prefix, partitions=2)
    with pytest.raises(MoveRefusedError, match="has 1 partitions, and 2 on the new cluster"):
        asyncio.run(move(old, kafka, topic_prefix))


def test_other_records_in_the_place_of_the_logs_are_named(
    old: str, kafka: str, topic_prefix: str
) -> None:
    write(old, topic_prefix, fleet(3))
    create_topics(kafka, topic_prefix, partitions=1)
    write(kafka, topic_prefix, [("runs", b"k", b"other")])
    for switch in (False, True):
        with pytest.raises(MoveRefusedError, match="runs-0:0 are not the same on both"):
            asyncio.run(move(old, kafka, topic_prefix, switch=switch))
    write(kafka, topic_prefix, [("runs", b"k", b"other")] * 9)
    with pytest.raises(MoveRefusedError, match="ends at 10 on the new cluster and at 6"):
        asyncio.run(move(old, kafka, topic_prefix))


def test_the_command_says_what_it_would_do_does_it_and_says_what_comes_next(
    old: str,
    kafka: str,
    topic_prefix: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TAILRACE_PREFIX", topic_prefix)
    monkeypatch.delenv("TAILRACE_KAFKA", raising=False)
    write(old, topic_prefix, fleet(3))
    asyncio.run(delete_below(old, {partition(topic_prefix, "runs"): 2}))
    command = ["migrate-log", "--from", old, "--to", kafka]

    assert main([*command, "--dry-run"]) == 0
    planned = capsys.readouterr().out
    assert f"{topic_prefix}runs: 1 partition, 6 offsets to copy\n" in planned
    assert "of these below a beginning: 2" in planned
    assert "commits to move: none" in planned
    assert main(command) == 0
    assert capsys.readouterr().out.endswith("then run this with --switch\n")
    assert main([*command, "--switch"]) == 0
    assert f"set TAILRACE_KAFKA={kafka}" in capsys.readouterr().out
    assert main(["migrate-log", "--from", old, "--to", old]) == 1
    assert "both addresses are of the cluster" in capsys.readouterr().err
    assert main([*command, "--dry-run", "--switch"]) == 64
