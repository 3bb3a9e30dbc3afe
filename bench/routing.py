"""How fast deployments are followed: publish to effect, the cost of a route, the start of a router.

    python bench/routing.py [--moves 200] [--routers 100] [--history 10000]

*Publish to effect*: from just before a move is sent until a router in another event loop routes by
it, for one router and for many in one process; beside it, from the same moves, the acknowledgement
that whoever sent them waits for: no reader can know sooner than the broker. *A route*: with one arm
and with two, beside one SHA-256 of the same key. *Start*: a topic with that many moves, read and
folded before the first run, beside reading its records alone.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaProducer

from tailrace.console.local.kafka import Kafka
from tailrace.producers import component
from tailrace.producers.content.digest import reach_digest, reached
from tailrace.producers.delivery.topic_reader import read_to_end
from tailrace.producers.deployments.manifest import component_manifest, deployment_id
from tailrace.producers.recording.definition import ComponentDefinition
from tailrace.producers.routing.control import registration
from tailrace.producers.routing.control_log import ControlLog
from tailrace.producers.routing.desk import ControlDesk
from tailrace.producers.routing.moves import Mover, Target, promote
from tailrace.producers.routing.pointer_routes import PointerRoutes
from tailrace.producers.routing.pointers import Control
from tailrace.producers.routing.route import Asked
from tailrace.producers.testing import Journal
from tailrace.schemas import wire
from tailrace.schemas.catalog import latest
from tailrace.schemas.topic_admin import apply
from tailrace.schemas.topics import CONTROL

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.producers.routing.control import Applied
    from tailrace.schemas.records.base import Record

BENCH = Mover("bench", "measuring")
CALLS = 200_000
AIM_EFFECT_MS = 50
AIM_ROUTE_US = (2.0, 5.0)
AIM_START_S = 1.0


@component
def support() -> str:
    """Stand for an agent."""
    return "done"


def manifest(number: int) -> dict[str, Any]:
    """Return the manifest of a deployment of the same code with another config."""
    return component_manifest(
        "support",
        entry_point="agent:support",
        config={"number": number},
        steps={},
        code_digest=reach_digest(reached(support)),
    )


def told(name: str, values: list[float], unit: str, rest: str = "") -> None:
    """Print minimum, median, 99th percentile and maximum."""
    ordered = sorted(values)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    print(
        f"{name:<44} min {ordered[0]:7.2f}  median {statistics.median(ordered):7.2f}  "
        f"p99 {p99:7.2f}  max {ordered[-1]:7.2f} {unit}{rest}"
    )


async def effect(kafka: str, prefix: str, moves: int, routers: int) -> None:
    """Measure how long a move takes until every router knows it."""
    options = {"bootstrap_servers": kafka}
    seen: dict[int, list[float]] = {}

    def watch(applied: Applied) -> None:
        seen.setdefault(applied.offset, []).append(time.perf_counter())

    logs = [ControlLog(options, prefix, on_record=watch) for _ in range(routers)]
    await asyncio.gather(*(log.follower.start() for log in logs))
    acknowledged: list[float] = []
    effects: list[float] = []
    async with ControlDesk(kafka, prefix) as desk:
        ids = [(await desk.register(manifest(number), mover=BENCH))[0] for number in (0, 1)]
        for number in range(moves):
            move = promote(desk.target("prod", "support"), ids[number % 2], BENCH)
            began = time.perf_counter()
            revision = await desk.move(move)
            acknowledged.append((time.perf_counter() - began) * 1000)
            await asyncio.gather(*(log.follower.reach(revision, 10.0) for log in logs))
            effects += [(at - began) * 1000 for at in seen[revision]]
    for log in logs:
        await log.follower.stop()
    told(f"publish to effect, {routers} router{'s' * (routers > 1)}", effects, "ms")
    told("  the sender's own answer", acknowledged, "ms")
    p99 = sorted(effects)[int(len(effects) * 0.99)]
    if routers == 1:
        done = "reached" if p99 < AIM_EFFECT_MS else "NOT reached"
        print(f"  p99 under {AIM_EFFECT_MS} ms: {done}")


def memory(arms: int) -> tuple[PointerRoutes, ComponentDefinition]:
    """Return routes whose pointer has that many arms."""
    journal, control = Journal(), Control()

    def append(record: Record) -> None:
        value = wire.encode(latest(record.schema_name), record.flatten())
        offset = journal.append(CONTROL, b"support", value).result()
        control.apply(offset, record.schema_name, record.flatten())

    for number in range(arms):
        append(registration(manifest(number), "support", actor="bench"))
        target = Target(control, "prod", "support")
        weight = 10_000 if number == 0 else 3_000
        append(promote(target, deployment_id(manifest(number)), BENCH, weight))
    return PointerRoutes(journal, "prod"), ComponentDefinition(
        support, name="support", config={}, version=""
    )


def per_call_us(function: Callable[[], Any]) -> float:
    """Return microseconds a call."""
    began = time.perf_counter()
    for _ in range(CALLS):
        function()
    return (time.perf_counter() - began) / CALLS * 1e6


def routes(rounds: int) -> None:
    """Measure what a route costs."""
    key = hashlib.sha256(b"customer").hexdigest()[:32]
    sides: dict[str, Callable[[], Any]] = {
        "SHA-256 of the key": lambda: hashlib.sha256(key.encode()).hexdigest()
    }
    for arms in (1, 2):
        found, definition = memory(arms)
        asked = Asked("support", definition, "t" * 32, key)
        name = f"a route, {arms} arm{'s' * (arms > 1)}"
        sides[name] = partial(found.route, asked)
    took: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, function in sides.items():
            took[name].append(per_call_us(function))
    hashing = statistics.median(took["SHA-256 of the key"])
    for (name, values), aim in zip(took.items(), (None, *AIM_ROUTE_US), strict=True):
        ratio = statistics.median(values) / hashing
        rest = "" if aim is None else f"   {ratio:.1f} x the hash, aim {aim:g}"
        told(name, values, "us", rest)


async def history(kafka: str, prefix: str, moves: int) -> None:
    """Write that many accepted moves."""
    producer: Any = AIOKafkaProducer(bootstrap_servers=kafka, linger_ms=5, enable_idempotence=True)
    await producer.start()
    control = Control()
    name = CONTROL.name(prefix)
    sent: list[Any] = []
    offset = -1

    async def append(record: Record) -> None:
        nonlocal offset
        offset += 1
        control.apply(offset, record.schema_name, record.flatten())
        value = wire.encode(latest(record.schema_name), record.flatten())
        sent.append(await producer.send(name, key=b"support", value=value))

    ids = [deployment_id(manifest(number)) for number in (0, 1)]
    for number in (0, 1):
        await append(registration(manifest(number), "support", actor="bench"))
    for number in range(moves):
        await append(promote(Target(control, "prod", "support"), ids[number % 2], BENCH))
    await asyncio.gather(*sent)
    await producer.stop()


async def start(kafka: str, prefix: str, moves: int, rounds: int) -> None:
    """Measure reading a long topic before the first run."""
    options = {"bootstrap_servers": kafka}
    await history(kafka, prefix, moves)
    whole: list[float] = []
    alone: list[float] = []
    for _ in range(rounds):
        began = time.perf_counter()
        log = ControlLog(options, prefix)
        await log.follower.start()
        whole.append(time.perf_counter() - began)
        assert len(log.control.pointer("prod", "support").standings) == moves
        await log.follower.stop()
        began = time.perf_counter()
        await read_to_end(options, CONTROL.name(prefix))
        alone.append(time.perf_counter() - began)
    ratio = statistics.median(whole) / statistics.median(alone)
    told(f"start with {moves:,} moves", whole, "s", f"   {ratio:.1f} x reading alone")
    told("  reading alone", alone, "s")
    done = "reached" if statistics.median(whole) < AIM_START_S else "NOT reached"
    print(f"  under {AIM_START_S:g} s: {done}")


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--moves", type=int, default=200)
    options.add_argument("--routers", type=int, default=100)
    options.add_argument("--history", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=5)
    asked = options.parse_args()
    print(f"Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f}")
    routes(asked.rounds)
    with tempfile.TemporaryDirectory(prefix="tailrace-bench-") as folder:
        kafka = Kafka(Path(folder) / "kafka", Path(folder) / "kafka.log")
        kafka.start()
        try:
            assert kafka.address is not None
            asyncio.run(measured(kafka.address, asked))
        finally:
            kafka.stop()
    print(f"load {os.getloadavg()[0]:.1f}")


async def measured(kafka: str, asked: argparse.Namespace) -> None:
    """Measure what needs a broker."""
    for number, routers in enumerate((1, asked.routers)):
        await apply(prefix=f"e{number}.", partitions=1, options={"bootstrap_servers": kafka})
        await effect(kafka, f"e{number}.", asked.moves if routers == 1 else 30, routers)
    await apply(prefix="s.", partitions=1, options={"bootstrap_servers": kafka})
    await start(kafka, "s.", asked.history, asked.rounds)


if __name__ == "__main__":
    main()
