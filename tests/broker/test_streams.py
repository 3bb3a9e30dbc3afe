"""Stream workers on a real broker: what they publish, and what no death and no bytes can change."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import CommitFailedError

from support.executions import MadeRun, Record
from support.journal import read_records
from support.log_journal import create_topics, fleet, write
from support.stream_outputs import folded, log_id, published
from support.stream_workers import TOLD, end_worker, running_workers, spawn_worker
from support.waiting import wait_until
from tailrace.schemas.catalog import latest
from tailrace.schemas.consumers import stop_consumer
from tailrace.schemas.lineage import LogMovedAwayError
from tailrace.schemas.records import LogMoved
from tailrace.schemas.topics import DEAD_LETTERS
from tailrace.schemas.wire import encode
from tailrace.streams.cluster import look_up
from tailrace.streams.execution import Limits
from tailrace.streams.options import SESSION_S, StreamOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from support.log_journal import Keyed

DONE_S = 60.0
PARTITIONS = 3
MOVED_S = 15.0
"""Within so long a killed worker's partitions are read by another, with the session as it is."""


@pytest.fixture
def options(kafka: str, topic_prefix: str, tmp_path: Path) -> StreamOptions:
    create_topics(kafka, topic_prefix, partitions=PARTITIONS)
    return StreamOptions(kafka, topic_prefix, data=tmp_path)


def kafka_of(options: StreamOptions) -> str:
    assert options.kafka is not None
    return options.kafka


def wait_for(options: StreamOptions, count: int, *, within_s: float = DONE_S) -> None:
    kafka, prefix = kafka_of(options), options.topic_prefix
    wait_until(
        lambda: len(published(kafka, prefix)) >= count,
        f"{count} traces",
        timeout_s=within_s,
        poll_s=0.2,
    )


def assert_as_folded(options: StreamOptions, but: Collection[str] = (), log: str = "") -> None:
    """Fail unless what is published is what the fold makes, but for executions of these roots."""
    kafka, prefix = kafka_of(options), options.topic_prefix
    expected = folded(kafka, prefix, options.limits, log_id=log or log_id(kafka))
    kept = {key: trace for key, trace in expected.items() if key[1] not in but}
    assert published(kafka, prefix) == kept


def keyed(records: list[Record]) -> list[Keyed]:
    """Return made records as they are written."""
    return [
        (
            "runs",
            record["trace_id"].encode(),
            encode(latest("journal_event" if "seq" in record else "heartbeat"), record),
        )
        for record in records
    ]


def made(root: MadeRun, trace_id: str) -> list[Record]:
    return [record for run in root.whole() for record in run.records(root, trace_id)]


def test_neither_poison_nor_a_defect_costs_more_than_its_own_records(
    options: StreamOptions,
) -> None:
    child = MadeRun(f"{8:032x}")
    tree = MadeRun(f"{7:032x}", children=[child], beats=2)
    child.parent = tree
    broken = MadeRun(f"{9:032x}")
    poison = [("runs", b"k", bytes([0, 1, 2])), ("runs", b"l", encode(latest("body"), {}))]
    of_broken = keyed(made(broken, "9" * 32))
    records = [*fleet(20), *poison, *keyed(made(tree, "7" * 32)), *of_broken, *fleet(20)]
    write(kafka_of(options), options.topic_prefix, records)
    with running_workers(options, breaks_at=broken.run_id):
        wait_for(options, 41)
        wait_until(lambda: len(dead_letters(options)) >= 4, "the dead letters")
    assert_as_folded(options, but={broken.run_id})
    letters = dead_letters(options)
    assert sorted(letter["value"] for letter in letters) == sorted(
        record[2] for record in (*poison, *of_broken)
    )
    assert {letter["reader"] for letter in letters} == {options.group_id}
    reasons = [letter["reason"] for letter in letters]
    assert sum("could not be folded" in reason for reason in reasons) == len(of_broken)


def dead_letters(options: StreamOptions) -> list[dict[str, Any]]:
    return read_records(kafka_of(options), options.topic_prefix, DEAD_LETTERS)


def test_the_partitions_of_who_was_killed_or_sleeps_move_and_open_executions_end_once(
    options: StreamOptions,
) -> None:
    whole = fleet(60)
    begun = [record for at, record in enumerate(whole) if at % 5 == 0]
    rest = [record for at, record in enumerate(whole) if at % 5]
    # Both at once, since what it takes is waiting for the group to miss one.
    stores = [in_memory(options), on_disk(options)]
    for each in stores:
        write(kafka_of(each), each.topic_prefix, [*fleet(30), *begun])
    sleeper = spawn_worker(replace(stores[0], data=options.data / "sleeper"))
    try:
        with running_workers(stores[0], 2) as some, running_workers(stores[1], 2) as others:
            start_s = seconds_until(lambda: all_own(stores[0], 3) and all_own(stores[1], 2))
            sleeper.send_signal(signal.SIGSTOP)
            for workers in (some, others):
                os.kill(workers[0].pid, signal.SIGKILL)
            for each in stores:
                write(kafka_of(each), each.topic_prefix, rest)
            moved_s = seconds_until(lambda: all(count(each) >= 90 for each in stores))
            # Where workers do not even start within what the issue leaves beyond the session, the
            # machine is slow, and one takes as long.
            assert moved_s < SESSION_S + max(MOVED_S - SESSION_S, start_s)
            sleeper.send_signal(signal.SIGCONT)
            # It depends on what it does first: write what it had read, or send a heartbeat.
            wait_until(
                lambda: sleeper.poll() is not None or members(stores[0]) == 2,
                "the sleeper ended, or is a member again",
                poll_s=0.2,
            )
            write(kafka_of(options), options.topic_prefix, fleet(10))
            wait_for(options, 100)
    finally:
        code = end_worker(sleeper)
    assert code in (0, TOLD), (options.data / "sleeper" / "worker.log").read_text(encoding="utf-8")
    # State comes back: what was folded once is published no second time, whoever reads it again.
    for each in stores:
        assert_as_folded(each)
        forget_offsets(each)
        write(kafka_of(each), each.topic_prefix, fleet(1))
    with running_workers(stores[0]), running_workers(stores[1]):
        wait_for(stores[0], 101)
        wait_for(stores[1], 91)
    for each in stores:
        assert_as_folded(each)


def seconds_until(condition: Callable[[], bool]) -> float:
    """Return how long it took until the condition held."""
    began = time.monotonic()
    wait_until(condition, "it holds", timeout_s=DONE_S, poll_s=0.2)
    return time.monotonic() - began


def all_own(options: StreamOptions, workers: int) -> bool:
    """Say whether so many share the partitions, and what was written first is published."""
    return members(options) == workers and count(options) >= 30


def count(options: StreamOptions) -> int:
    return len(published(kafka_of(options), options.topic_prefix))


def members(options: StreamOptions) -> int:
    """Return how many workers own partitions; 0 while the group shares them out."""

    async def ask() -> int:
        admin: Any = AIOKafkaAdminClient(bootstrap_servers=kafka_of(options))
        await admin.start()
        try:
            [answer] = await admin.describe_consumer_groups([options.group_id])
        finally:
            await admin.close()
        [(_, _, state, _, _, found, *_)] = answer.groups
        return len(found) if state == "Stable" else 0

    return asyncio.run(ask())


def in_memory(options: StreamOptions) -> StreamOptions:
    return replace(options, data=options.data / "memory")


def on_disk(options: StreamOptions) -> StreamOptions:
    prefix = f"d{options.topic_prefix}"
    create_topics(kafka_of(options), prefix, partitions=PARTITIONS)
    return replace(options, prefix=prefix, store="rocksdb", data=options.data / "disk")


def forget_offsets(options: StreamOptions) -> None:
    """Have the group begin at the start of the log, its state kept: everything is redelivered."""

    async def commit() -> bool:
        consumer: Any = AIOKafkaConsumer(
            bootstrap_servers=kafka_of(options), group_id=options.group_id, enable_auto_commit=False
        )
        await consumer.start()
        try:
            partitions = [
                TopicPartition(f"{options.topic_prefix}runs", each) for each in range(PARTITIONS)
            ]
            consumer.assign(partitions)
            await consumer.commit(dict.fromkeys(partitions, 0))
        except CommitFailedError:
            return False  # who was killed is a member until its session is over
        finally:
            await stop_consumer(consumer)
        return True

    wait_until(lambda: asyncio.run(commit()), "the group has no members", poll_s=0.2)


def test_a_log_that_was_moved_keeps_its_id_and_its_holes_mean_nothing(
    options: StreamOptions,
) -> None:
    options = replace(options, store="rocksdb")
    here = log_id(kafka_of(options))
    moved = LogMoved(old_cluster_id="the-first", new_cluster_id=here, ts=datetime.now(UTC))
    changelog = f"{options.group_id}-state-changelog"
    create_plain(kafka_of(options), changelog)  # as the mover writes it: compacted topics refuse
    written = [("control", b"", encode(latest("log_moved"), moved.flatten())), *fleet(5)]
    write(kafka_of(options), options.topic_prefix, written)
    # Where the old log had nothing at an offset, the new one has a record without key and value.
    write_fillers(options, [changelog, f"{options.topic_prefix}runs"])
    write(kafka_of(options), options.topic_prefix, fleet(5))
    with running_workers(options):
        wait_for(options, 10)
    assert_as_folded(options, log="the-first")
    away = LogMoved(old_cluster_id=here, new_cluster_id="the-next", ts=datetime.now(UTC))
    written = [("control", b"", encode(latest("log_moved"), away.flatten()))]
    write(kafka_of(options), options.topic_prefix, written)
    told = {"bootstrap_servers": kafka_of(options)}
    with pytest.raises(LogMovedAwayError, match="point TAILRACE_KAFKA there"):
        asyncio.run(look_up(told, options.topic_prefix))


def create_plain(kafka: str, topic: str) -> None:
    async def create() -> None:
        admin: Any = AIOKafkaAdminClient(bootstrap_servers=kafka)
        await admin.start()
        try:
            await admin.create_topics(
                [NewTopic(topic, num_partitions=PARTITIONS, replication_factor=1)]
            )
        finally:
            await admin.close()

    asyncio.run(create())


def write_fillers(options: StreamOptions, topics: list[str]) -> None:
    async def send() -> None:
        producer: Any = AIOKafkaProducer(bootstrap_servers=kafka_of(options))
        await producer.start()
        try:
            for topic in topics:
                for partition in range(PARTITIONS):
                    batch = producer.create_batch()
                    batch.append(key=None, value=None, timestamp=None)
                    await (await producer.send_batch(batch, topic, partition=partition))
        finally:
            await producer.stop()

    asyncio.run(send())


def test_silence_abandons_but_not_the_silence_of_the_worker(options: StreamOptions) -> None:
    options = replace(options, limits=Limits(abandon_ms=1_500))
    alive, silent = MadeRun(f"{7:032x}", beats=2), MadeRun(f"{8:032x}")
    began, *beats, ended = keyed(made(alive, "7" * 32))
    write(kafka_of(options), options.topic_prefix, [began, keyed(made(silent, "8" * 32))[0]])
    # Nobody reads for longer than the limit; one run lives on, and the log says so.
    for beat in [*beats, ended]:
        pass_broker_time(0.9)
        write(kafka_of(options), options.topic_prefix, [beat])
    with running_workers(options):
        wait_for(options, 2)
    found = published(kafka_of(options), options.topic_prefix)
    assert found["7" * 32, alive.run_id, 0].status == "ended"
    assert found["8" * 32, silent.run_id, 0].status == "abandoned"
    assert len(found) == 2
    expected = folded(
        kafka_of(options),
        options.topic_prefix,
        options.limits,
        log_id=log_id(kafka_of(options)),
        until_ms=2**45,
    )
    assert found == expected, "replayed from the start, the log abandons the same"


def pass_broker_time(for_s: float) -> None:
    """Wait until the broker's clock has gone on: how long nothing is written is what is tested."""
    over = asyncio.Event()

    async def wait() -> None:
        asyncio.get_running_loop().call_later(for_s, over.set)
        await over.wait()

    asyncio.run(wait())
