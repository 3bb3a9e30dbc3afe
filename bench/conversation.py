"""What a conversation of 100 turns takes, on the log and in ClickHouse, as it grows.

Two forms: the whole conversation in one run, and a run a turn. Beside each, the same with the
history recorded whole at each turn (the step's kind is not `llm`, so no chain is made). Texts are
random words, so that compression finds what it would find in language, not in repetition.

Real broker, real sink, real ClickHouse. Compressed sizes are the broker's segment files and
ClickHouse's parts after merging.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from tailrace.console.local.clickhouse import ClickHouse
from tailrace.console.local.kafka import Kafka
from tailrace.producers import Tailrace, component, run_options, step
from tailrace.schemas.endpoints import kafka_options
from tailrace.schemas.topic_admin import apply
from tailrace.schemas.topics import BODIES, RUNS, STEPS
from tailrace.sinks.clickhouse import ask, connect, tell
from tailrace.sinks.sink import SinkOptions, run_sink

if TYPE_CHECKING:
    from collections.abc import Callable

TOPICS = (RUNS, STEPS, BODIES)
TABLES = ("events", "bodies")
_LIMIT_S = 60.0
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation to hold: its turns, the size of a message, and how it is recorded."""

    turns: int
    message_bytes: int
    chained: bool
    run_a_turn: bool

    def __str__(self) -> str:
        form = "a run a turn" if self.run_a_turn else "one run"
        how = "chained" if self.chained else "whole history"
        return f"{self.message_bytes:5} B, {form:12} {how:13} {self.turns:4} turns"


def words(seed: int) -> Callable[[int], str]:
    """Return a source of texts of a size, made of random words."""
    rng = random.Random(seed)  # noqa: S311 - texts, not secrets
    letters = "abcdefghijklmnopqrstuvwxyz"
    known = ["".join(rng.choices(letters, k=rng.randint(2, 9))) for _ in range(3000)]

    def text(size: int) -> str:
        parts: list[str] = []
        while sum(map(len, parts)) + len(parts) < size:
            parts.append(rng.choice(known))
        return " ".join(parts)[:size]

    return text


def hold(told: Conversation) -> None:
    """Hold a conversation within an open client."""
    text = words(told.message_bytes)
    history: list[dict[str, str]] = []

    @step(kind="llm" if told.chained else "tool", effect="read")
    def answer(messages: list[dict[str, str]]) -> str:
        return text(told.message_bytes if messages else 0)

    def exchange(question: str) -> str:
        history.append({"role": "user", "content": question})
        history.append({"role": "assistant", "content": answer(history)})
        return history[-1]["content"]

    @component
    def turn(question: str) -> str:
        return exchange(question)

    @component
    def conversation() -> None:
        for _ in range(told.turns):
            exchange(text(told.message_bytes))

    with run_options(session=uuid.uuid4().hex):
        if told.run_a_turn:
            for _ in range(told.turns):
                turn(text(told.message_bytes))
        else:
            conversation()


async def on_log(kafka: str, prefix: str) -> tuple[int, int]:
    """Return how many records lie on the log, and the bytes of their keys and values."""
    consumer: Any = AIOKafkaConsumer(
        *(topic.name(prefix) for topic in TOPICS),
        bootstrap_servers=kafka,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        places: list[TopicPartition] = list(consumer.assignment())
        missing = sum((await consumer.end_offsets(places)).values())
        count = size = 0
        until = time.monotonic() + _LIMIT_S
        while count < missing and time.monotonic() < until:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                count += len(records)
                size += sum(len(record.key or b"") + len(record.value) for record in records)
        assert count == missing, f"read {count} of {missing} records"
        return count, size
    finally:
        await consumer.stop()


async def stored(options: SinkOptions, count: int) -> tuple[int, int]:
    """Archive the log; return the uncompressed and compressed bytes of the tables."""
    stop = asyncio.Event()
    sink = asyncio.create_task(run_sink(options, stop))
    assert options.database is not None
    client = connect(options.clickhouse, "default")
    until = time.monotonic() + _LIMIT_S
    rows = 0
    while rows < count and not sink.done() and time.monotonic() < until:
        await asyncio.sleep(_POLL_S)
        rows = sum(row["rows"] for row in parts(client, options.database))
    stop.set()
    await sink
    assert rows >= count, f"{rows} rows of {count}"
    for table in TABLES:
        names = {"name": options.database, "table": table}
        tell(client, "OPTIMIZE TABLE {name:Identifier}.{table:Identifier} FINAL", names)
    found = parts(client, options.database)
    tell(client, "DROP DATABASE {name:Identifier} SYNC", {"name": options.database})
    client.close()
    return sum(row["raw"] for row in found), sum(row["packed"] for row in found)


def parts(client: Any, database: str) -> list[dict[str, Any]]:
    """Return rows and bytes of the tables that hold the journal."""
    sql = (
        "SELECT table, sum(rows) AS rows, sum(data_uncompressed_bytes) AS raw, "
        "sum(data_compressed_bytes) AS packed FROM system.parts "
        "WHERE active AND database = {name:String} AND table IN {tables:Array(String)} "
        "GROUP BY table"
    )
    return list(ask(client, sql, {"name": database, "tables": list(TABLES)}))


def segment_bytes(place: Path, prefix: str) -> int:
    """Return the size of the broker's segment files of the topics."""
    names = tuple(topic.name(prefix) for topic in TOPICS)
    files = place.rglob("*.log")
    return sum(file.stat().st_size for file in files if file.parent.name.startswith(names))


def measured(told: Conversation, kafka: str, clickhouse: str, place: Path) -> list[int]:
    """Hold one conversation; return bytes on the log and in ClickHouse, raw and compressed."""
    prefix = f"c{uuid.uuid4().hex[:8]}."
    asyncio.run(apply(prefix=prefix, options=kafka_options(kafka)))
    with Tailrace(kafka, prefix=prefix):
        hold(told)
    count, raw = asyncio.run(on_log(kafka, prefix))
    options = SinkOptions(
        kafka=kafka,
        clickhouse=clickhouse,
        database=f"bench_{uuid.uuid4().hex[:8]}",
        prefix=prefix,
        group=uuid.uuid4().hex,
    )
    table_raw, table_packed = asyncio.run(stored(options, count))
    return [raw, segment_bytes(place, prefix), table_raw, table_packed]


def compare(turns: int, kafka: str, clickhouse: str, place: Path) -> None:
    """Hold all conversations and print what each took."""
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"bytes; load {load} on {os.cpu_count()} cores")
    print(f"{'':44}{'log':>12}{'segments':>12}{'ClickHouse':>12}{'compressed':>12}")
    for size in (1000, 100):
        for run_a_turn in (False, True):
            found: dict[bool, list[int]] = {}
            for chained in (True, False):
                for part in (turns // 4, turns // 2, turns) if chained else (turns,):
                    told = Conversation(part, size, chained, run_a_turn)
                    found[chained] = measured(told, kafka, clickhouse, place)
                    print(f"{told!s:44}" + "".join(f"{each:12,}" for each in found[chained]))
            ratios = [whole / ours for whole, ours in zip(found[False], found[True], strict=True)]
            print(f"{'  times fewer':44}" + "".join(f"{ratio:12.1f}" for ratio in ratios))


def main() -> None:
    """Start the servers and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=100)
    told = parser.parse_args()
    # A topic that was just made has no leader for a moment, and the client says so at length.
    with tempfile.TemporaryDirectory(prefix="tailrace-bench-") as folder:
        place = Path(folder)
        kafka = Kafka(place / "kafka", place / "kafka.log")
        clickhouse = ClickHouse(place / "clickhouse", place / "clickhouse.log")
        try:
            kafka.start()
            clickhouse.start()
            assert kafka.address is not None
            assert clickhouse.address is not None
            compare(told.turns, kafka.address, clickhouse.address, place / "kafka")
        finally:
            clickhouse.stop()
            kafka.stop()


if __name__ == "__main__":
    main()
