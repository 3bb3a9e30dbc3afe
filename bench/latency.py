"""Event to visible row: how long after it is sent an event can be read from `events`.

    python bench/latency.py [--rates 1000 10000] [--seconds 15] [--rounds 3]

Events of about 1 KB are sent at a steady rate, a batch to each partition every 10 ms, by a process
of its own: encoded but for time and number beforehand, because agents pay for that elsewhere. A
sink, a process too, stores them. Here the table is asked for new rows all the time, and the age of
each when it was first seen is the latency: from its encoding to the answer of the query. The rates
take turns. Prints p50, p99 and the largest, a line a round; p99 as min/median/max with its share of
the aim; the CPU seconds of the sink and of ClickHouse a million events, and the load average.
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
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from archive import cpu_of, family

from tailrace.console.local.clickhouse import ClickHouse
from tailrace.console.local.kafka import Kafka
from tailrace.schemas.catalog import latest
from tailrace.schemas.topic_admin import apply
from tailrace.schemas.wire import encode
from tailrace.sinks.archive.blocks import zigzag
from tailrace.sinks.clickhouse import NotMigratedError, ask, connect
from tailrace.sinks.sink import SinkOptions, run_sink

TICK_S = 0.01
PARTITIONS = 4
_PAUSE_S = 0.02
_PATIENCE_S = 60.0
_MARGIN = timedelta(seconds=1)
AIM_S = 1.0
_NEW = """
SELECT partition AS part, max(offset) AS last, max(broker_ts) AS newest,
    groupArray(toUnixTimestamp64Micro(ts)) AS sent_us
FROM events
WHERE broker_ts >= {since:DateTime64(3, 'UTC')} AND topic = {topic:String}
    AND offset > {seen:Array(Int64)}[partition + 1]
GROUP BY part
"""


def template() -> tuple[bytes, bytes, bytes]:
    """Return an encoded event in three pieces: number and time go in between."""
    seq, ts = 1 << 40, 1 << 50
    constant = {"trace_id": uuid.uuid4().hex, "run_id": uuid.uuid4().hex, "component": "bench"}
    text = {"kind": "step_completed", "input": '"' + "lorem ipsum " * 60 + '"'}
    whole = encode(latest("journal_event"), {**constant, **text, "seq": seq, "ts": ts})
    before, found, rest = whole.partition(zigzag(seq))
    between, also_found, after = rest.partition(zigzag(ts))
    assert found, "the number is not in the event"
    assert also_found, "the time is not in the event"
    return before, between, after


async def send(kafka: str, topic: str, rate: int, seconds: float) -> int:
    """Send events whose `ts` is the moment of sending, and return how many."""
    before, between, after = template()
    producer: Any = AIOKafkaProducer(bootstrap_servers=kafka, max_batch_size=1 << 20)
    await producer.start()
    begun = time.perf_counter()
    sent = 0
    while (passed := time.perf_counter() - begun) < seconds:
        due = int(passed * rate)
        for partition in range(PARTITIONS):
            stamp = between + zigzag(time.time_ns() // 1000) + after
            batch: Any = producer.create_batch()
            for seq in range(sent + partition, due, PARTITIONS):
                batch.append(key=None, value=before + zigzag(seq) + stamp, timestamp=None)
            if batch.record_count():
                await producer.send_batch(batch, topic, partition=partition)
        sent = due
        await asyncio.sleep(TICK_S)
    await producer.stop()
    return sent


class Watch:
    """Sees rows as they become visible, which in a partition they do in the order of offsets."""

    def __init__(self, options: SinkOptions, topic: str) -> None:
        self._client = connect(options.clickhouse, options.database)
        self._topic = topic
        self._seen = [-1] * PARTITIONS
        self._newest = [datetime(2000, 1, 1, tzinfo=UTC)] * PARTITIONS
        self.ages_s: list[float] = []

    def look(self) -> None:
        """Note the age of every row that was not there before."""
        since = min(self._newest) - _MARGIN
        asked = {"seen": self._seen, "topic": self._topic, "since": since}
        found = ask(self._client, _NEW, asked)
        now_us = time.time_ns() // 1000
        for row in found:
            part = int(row["part"])
            self._seen[part], self._newest[part] = int(row["last"]), row["newest"]
            self.ages_s += [(now_us - int(sent_us)) / 1e6 for sent_us in row["sent_us"]]


@dataclass(frozen=True)
class Measured:
    """What one round at one rate gave."""

    p50_s: float
    p99_s: float
    largest_s: float
    sent: int
    sink_cpu_s: float
    engine_cpu_s: float


def measure(kafka: str, clickhouse: ClickHouse, rate: int, seconds: float, turn: int) -> Measured:
    """Run one round at one rate, on topics and in a database of its own."""
    assert clickhouse.address is not None
    assert clickhouse.process is not None
    prefix, database = f"bench{rate}.{turn}.", f"latency_{rate}_{turn}"
    options = {"bootstrap_servers": kafka}
    asyncio.run(apply(prefix=prefix, partitions=PARTITIONS, options=options))
    watch = Watch(SinkOptions(clickhouse=clickhouse.address, database=database), f"{prefix}steps")
    me = [sys.executable, __file__]
    sink = subprocess.Popen([*me, "--sink", kafka, clickhouse.address, database, prefix])
    try:
        asyncio.run(send(kafka, f"{prefix}steps", rate, 2))  # warm, and not counted
        await_rows(watch, 1)
        time.sleep(1)
        watch.look()
        watch.ages_s.clear()
        engine = family(clickhouse.process.pid)
        sink_before, engine_before = cpu_of([sink.pid]), cpu_of(engine)
        command = [*me, "--send", kafka, f"{prefix}steps", str(rate), str(seconds)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sender:
            while sender.poll() is None:
                watch.look()
                time.sleep(_PAUSE_S)
            assert sender.stdout is not None
            expected = int(sender.stdout.read())
        await_rows(watch, expected)
        sink_s, engine_s = cpu_of([sink.pid]) - sink_before, cpu_of(engine) - engine_before
    finally:
        sink.terminate()
        sink.wait()
    assert len(watch.ages_s) == expected, f"{len(watch.ages_s)} of {expected} events were seen"
    cuts = statistics.quantiles(watch.ages_s, n=100)
    million = expected / 1e6
    return Measured(
        cuts[49],
        cuts[98],
        max(watch.ages_s),
        expected,
        sink_s / million,
        engine_s / million,
    )


def tell_round(rate: int, seconds: float, found: Measured) -> None:
    """Print a line."""
    print(
        f"  {rate:,}/s, sent {found.sent / seconds:,.0f}/s: p50 {found.p50_s:.3f} s, "
        f"p99 {found.p99_s:.3f} s, largest {found.largest_s:.3f} s; CPU s/million: sink "
        f"{found.sink_cpu_s:.1f}, engine {found.engine_cpu_s:.1f} (queries of this bench included)"
        f"; load average {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def spread(values: list[float]) -> str:
    """Return min/median/max."""
    return f"{min(values):.3f}/{statistics.median(values):.3f}/{max(values):.3f} s"


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
    parser.add_argument("--rounds", type=int, default=3)
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
        print(asyncio.run(send(kafka_address, topic, int(rate), float(seconds))))
        return
    with tempfile.TemporaryDirectory(prefix="tailrace-bench-") as folder:
        kafka = Kafka(Path(folder) / "kafka", Path(folder) / "kafka.log")
        clickhouse = ClickHouse(Path(folder) / "clickhouse", Path(folder) / "clickhouse.log")
        try:
            kafka.start()
            clickhouse.start()
            assert kafka.address is not None
            rounds: dict[int, list[Measured]] = {rate: [] for rate in told.rates}
            for turn in range(told.rounds):
                for rate in told.rates if turn % 2 == 0 else told.rates[::-1]:
                    found = measure(kafka.address, clickhouse, rate, told.seconds, turn)
                    tell_round(rate, told.seconds, found)
                    rounds[rate].append(found)
            for rate, all_found in rounds.items():
                p99 = [found.p99_s for found in all_found]
                share = statistics.median(p99) / AIM_S
                print(f"{rate:,}/s, {len(p99)} rounds, min/median/max:")
                print(f"  p50 {spread([found.p50_s for found in all_found])}; p99 {spread(p99)}")
                print(f"  p99 / {AIM_S:.0f} s: {share:.2f}")
        finally:
            clickhouse.stop()
            kafka.stop()


if __name__ == "__main__":
    main()
