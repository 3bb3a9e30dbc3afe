"""How fast a log moves: records copied and compared, and fillers written, between two brokers.

    python bench/migrate_log.py [--records N] [--fillers N]

Both brokers are embedded ones on this machine, so they share its cores with the move itself.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from tailrace.console.local.kafka import Kafka
from tailrace.console.moving.moving import move_log
from tailrace.schemas.topic_admin import apply

PREFIX = "bench."
VALUE_BYTES = 900
PARTITIONS = 4


async def write(kafka: str, topic: str, records: int, size_bytes: int) -> None:
    """Write records to one topic, spread over its partitions."""
    producer: Any = AIOKafkaProducer(bootstrap_servers=kafka, compression_type="zstd")
    await producer.start()
    for number in range(PARTITIONS):
        left = records // PARTITIONS
        while left:
            batch = producer.create_batch()
            while left and batch.append(
                timestamp=None,
                key=b"%032x" % left,
                value=os.urandom(size_bytes // 2).hex().encode(),
            ):
                left -= 1
            await producer.send_batch(batch, f"{PREFIX}{topic}", partition=number)
    await producer.stop()


async def trim(kafka: str, topic: str, below: int) -> None:
    """Delete what lies below an offset of each partition."""
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    partitions = [TopicPartition(f"{PREFIX}{topic}", number) for number in range(PARTITIONS)]
    await admin.delete_records({tp: RecordsToDelete(before_offset=below) for tp in partitions})
    await admin.close()


async def measure(old: str, new: str, *, switch: bool) -> None:
    """Move once and print how long copying and comparing took."""
    began: dict[str, float] = {}
    last = time.monotonic()
    took: dict[str, tuple[float, int]] = {}

    def note(what: str, done: int, total: int) -> None:
        nonlocal last  # a step is told of when its first part is done
        now = time.monotonic()
        took[what] = (now - began.setdefault(what, last), max(total, done))
        last = now

    cpu, start = time.process_time(), time.monotonic()
    moved = await move_log(
        {"bootstrap_servers": old},
        {"bootstrap_servers": new},
        PREFIX,
        switch=switch,
        on_progress=note,
    )
    wall, cpu = time.monotonic() - start, time.process_time() - cpu
    print(
        f"  switch={switch}: {wall:.1f} s, own CPU {cpu:.1f} s, {moved.amounts.copied:,} offsets, "
        f"{moved.amounts.fillers:,} fillers, {moved.amounts.records:,} records compared"
    )
    for what, (seconds, offsets) in took.items():
        if seconds > 0:
            print(f"    {what}: {offsets:,} offsets in {seconds:.1f} s, {offsets / seconds:,.0f}/s")


def main() -> None:
    """Move a log of records, then one of fillers."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--fillers", type=int, default=1_000_000)
    told = parser.parse_args()
    records, fillers = told.records, told.fillers
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tailrace-bench-")))
        addresses: list[str] = []
        for name in ("old", "new"):
            kafka = Kafka(folder / name, folder / f"{name}.log")
            kafka.start()
            stack.callback(kafka.stop)
            assert kafka.address is not None
            addresses.append(kafka.address)
        old, new = addresses
        asyncio.run(apply(prefix=PREFIX, partitions=PARTITIONS, options={"bootstrap_servers": old}))
        print(f"load {os.getloadavg()[0]:.1f}; {records:,} records of {VALUE_BYTES} B")
        asyncio.run(write(old, "steps", records, VALUE_BYTES))
        asyncio.run(measure(old, new, switch=False))
        print(f"{fillers:,} fillers below beginnings")
        asyncio.run(write(old, "bodies", fillers, 2))
        asyncio.run(trim(old, "bodies", fillers // PARTITIONS))
        asyncio.run(measure(old, new, switch=False))
        asyncio.run(measure(old, new, switch=True))


if __name__ == "__main__":
    main()
