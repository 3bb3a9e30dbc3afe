"""How long the local servers take from their start to their first use.

    python bench/start.py [--rounds 5]

Each round starts, one after the other, in fresh folders (formatting included):

- *broker, cold*: without the class archive, as on a machine's very first start;
- *broker, archive*: with it, made beforehand if this machine has none;
- *gateway*: the embedded ClickHouse.

The broker's time ends when a record is acknowledged (its topic created before), the gateway's when
a query is answered. Prints seconds as min/median/max over the rounds and the machine's load before
each side: the figures of a busy machine are the neighbours'.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tailrace.console.local.class_training import train_if_missing
from tailrace.console.local.clickhouse import ClickHouse
from tailrace.console.local.kafka import Kafka
from tailrace.sinks.clickhouse import ask, connect

if TYPE_CHECKING:
    from collections.abc import Callable

TOPIC = "first"
LIMITS_S = {"broker, cold": 4.0, "broker, archive": 2.0, "gateway": 3.0}
"""What the project promises on a quiet machine of two cores."""


def broker(folder: Path, *, archive: bool) -> float:
    """Return the seconds from the start of a broker to its first acknowledged record."""
    options = None if archive else ()
    kafka = Kafka(folder / "kafka", folder / "kafka.log", extra_options=options)
    began = time.monotonic()
    try:
        kafka.start()
        assert kafka.address is not None
        asyncio.run(_write(kafka.address))
        return time.monotonic() - began
    finally:
        kafka.stop()


async def _write(address: str) -> None:
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=address)
    producer: Any = AIOKafkaProducer(bootstrap_servers=address, enable_idempotence=True, acks="all")
    try:
        await admin.start()
        await admin.create_topics([NewTopic(TOPIC, 4, 1)])
        await producer.start()
        await producer.send_and_wait(TOPIC, b"one")
    finally:
        await producer.stop()
        await admin.close()


def gateway(folder: Path) -> float:
    """Return the seconds from the start of a gateway to its first answer to a query."""
    clickhouse = ClickHouse(folder / "clickhouse", folder / "clickhouse.log")
    began = time.monotonic()
    try:
        clickhouse.start()
        client = connect(clickhouse.address, "default")
        ask(client, "SELECT 1")
        took = time.monotonic() - began
        client.close()
        return took
    finally:
        clickhouse.stop()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    rounds: int = parser.parse_args().rounds
    print("making the class archive, if there is none yet", flush=True)
    train_if_missing(threading.Event())
    sides: dict[str, Callable[[Path], float]] = {
        "broker, cold": partial(broker, archive=False),
        "broker, archive": partial(broker, archive=True),
        "gateway": gateway,
    }
    took: dict[str, list[float]] = {name: [] for name in sides}
    loads: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            with tempfile.TemporaryDirectory(prefix="tailrace-bench-") as folder:
                loads[name].append(os.getloadavg()[0])
                took[name].append(side(Path(folder)))
    print(f"{'':18}{'min':>7}{'median':>8}{'max':>7}{'promised':>10}   load, {rounds} rounds")
    for name, seconds in took.items():
        print(
            f"{name:18}{min(seconds):7.2f}{statistics.median(seconds):8.2f}{max(seconds):7.2f}"
            f"{LIMITS_S[name]:10.1f}   {min(loads[name]):.1f} to {max(loads[name]):.1f}"
        )


if __name__ == "__main__":
    main()
