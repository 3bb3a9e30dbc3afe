"""Event to visible row: how long after it is sent an event can be read from `events`.

    python bench/latency.py [--rates 1000 10000] [--seconds 15]

Events of about 1 KB are sent at a steady rate, a tick each 10 ms, by a process of its own through
aiokafka. A sink, a process too, stores them. Here the table is asked for new rows all the time, and
the age of each when it was first seen is the latency: from `send` to the answer of the query.
Prints p50, p90, p99 and the largest, a line a rate, and the load average.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from tailrace.console.local.clickhouse import ClickHouse
from tailrace.console.local.kafka import Kafka
from tailrace.schemas.catalog import latest
from tailrace.schemas.topic_admin import apply
from tailrace.schemas.wire import encode
from tailrace.sinks.clickhouse import NotMigratedError, ask, connect
from tailrace.sinks.sink import SinkOptions, run_sink

TICK_S = 0.01
PARTITIONS = 4
_PAUSE_S = 0.02
_PATIENCE_S = 60.0
_NEW = """
SELECT partition AS part, offset, toUnixTimestamp64Micro(ts) AS sent_us
FROM events
WHERE topic = {topic:String} AND offset > {seen:Array(Int64)}[partition + 1]
"""


async def send(kafka: str, topic: str, rate: int, seconds: float) -> None:
    """Send events whose `ts` is the moment of sending; run in a process of its own."""
    schema = latest("journal_event")
    constant = {"component": "bench", "input": '"' + "lorem ipsum " * 60 + '"'}
    producer: Any = AIOKafkaProducer(bootstrap_servers=kafka, linger_ms=5)
    await producer.start()
    begun = time.perf_counter()
    sent = 0
    while (passed := time.perf_counter() - begun) < seconds:
        due = int(passed * rate)
        trace_id = uuid.uuid4().hex
        for seq in range(due - sent):
            fields = {"trace_id": trace_id, "run_id": trace_id, "seq": seq}
            stamp = {"ts": time.time_ns() // 1000}
            await producer.send(topic, encode(schema, {**constant, **fields, **stamp}), key=None)
        sent = due
        await asyncio.sleep(TICK_S)
    await producer.stop()
    print(sent, flush=True)


class Watch:
    """Sees rows as they become visible, which in a partition they do in the order of offsets."""

    def __init__(self, options: SinkOptions, topic: str) -> None:
        self._client = connect(options.clickhouse, options.database)
        self._topic = topic
        self._seen = [-1] * PARTITIONS
        self.ages_s: list[float] = []

    def look(self) -> None:
        """Note the age of every row that was not there before."""
        found = ask(self._client, _NEW, {"seen": self._seen, "topic": self._topic})
        now_us = time.time_ns() // 1000
        for row in found:
            part = int(row["part"])
            self._seen[part] = max(self._seen[part], int(row["offset"]))
            self.ages_s.append((now_us - int(row["sent_us"])) / 1e6)


def measure(kafka: str, clickhouse: str, rate: int, seconds: float) -> None:
    """Print what one rate gives."""
    prefix, database = f"bench{rate}.", f"latency_{rate}"
    options = {"bootstrap_servers": kafka}
    asyncio.run(apply(prefix=prefix, partitions=PARTITIONS, options=options))
    watch = Watch(SinkOptions(clickhouse=clickhouse, database=database), f"{prefix}steps")
    me = [sys.executable, __file__]
    sink = subprocess.Popen([*me, "--sink", kafka, clickhouse, database, prefix])
    try:
        asyncio.run(send(kafka, f"{prefix}steps", rate, 2))  # warm, and not counted
        await_rows(watch, 1)
        time.sleep(1)
        watch.look()
        watch.ages_s.clear()
        command = [*me, "--send", kafka, f"{prefix}steps", str(rate), str(seconds)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sender:
            while sender.poll() is None:
                watch.look()
                time.sleep(_PAUSE_S)
            assert sender.stdout is not None
            expected = int(sender.stdout.read())
        await_rows(watch, expected)
    finally:
        sink.terminate()
        sink.wait()
    assert len(watch.ages_s) == expected, f"{len(watch.ages_s)} of {expected} events were seen"
    cuts = statistics.quantiles(watch.ages_s, n=100)
    load = os.getloadavg()[0]
    print(
        f"{rate:>7,}/s, sent {expected / seconds:,.0f}/s: {expected:,} events, "
        f"p50 {cuts[49]:.3f} s, p90 {cuts[89]:.3f} s, "
        f"p99 {cuts[98]:.3f} s, largest {max(watch.ages_s):.3f} s; load average {load:.1f}",
        flush=True,
    )


def await_rows(watch: Watch, count: int) -> None:
    """Look until so many rows were seen."""
    deadline = time.monotonic() + _PATIENCE_S
    while len(watch.ages_s) < count:
        assert time.monotonic() < deadline, f"{len(watch.ages_s)} of {count} events in a minute"
        with suppress(NotMigratedError):
            watch.look()
        time.sleep(_PAUSE_S)


def main() -> None:
    """Start the servers and measure every rate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--send", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--sink", nargs=4, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.sink:
        names = ("kafka", "clickhouse", "database", "prefix")
        options = SinkOptions(**dict(zip(names, told.sink, strict=True)))
        asyncio.run(run_sink(options, asyncio.Event()))
        return
    if told.send:
        kafka_address, topic, rate, seconds = told.send
        asyncio.run(send(kafka_address, topic, int(rate), float(seconds)))
        return
    with tempfile.TemporaryDirectory(prefix="tailrace-bench-") as folder:
        kafka = Kafka(Path(folder) / "kafka", Path(folder) / "kafka.log")
        clickhouse = ClickHouse(Path(folder) / "clickhouse", Path(folder) / "clickhouse.log")
        try:
            kafka.start()
            clickhouse.start()
            assert kafka.address is not None
            assert clickhouse.address is not None
            for rate in told.rates:
                measure(kafka.address, clickhouse.address, rate, told.seconds)
        finally:
            clickhouse.stop()
            kafka.stop()


if __name__ == "__main__":
    main()
