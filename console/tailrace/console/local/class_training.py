"""Makes the broker's class archive: a broker in a temporary folder that ends at once."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tailrace.console.local.cache import cache_folder
from tailrace.console.local.errors import StackError
from tailrace.console.local.kafka import Kafka, Runtime, find_runtime
from tailrace.console.local.locks import FolderLock
from tailrace.console.local.processes import ProcessId, is_alive, stop_process

if TYPE_CHECKING:
    import threading

_START_TIMEOUT_S = 120.0
_WRITE_TIMEOUT_S = 120.0
_POLL_S = 0.2
_NICE = 19


def train_if_missing(cancelled: threading.Event) -> bool:
    """Make the class archive of this machine's Java and jars unless it exists; True if it did.

    Blocks for about ten seconds of one core at the lowest priority; ends soon, without an archive,
    once `cancelled` is set, or if another process is making it. A training that fails changes
    nothing: the next stack tries again.
    """
    runtime = find_runtime()
    if runtime.archive.exists():
        return False
    with FolderLock(cache_folder("classes") / "lock") as lock:
        if not lock.try_acquire():
            return False
        try:
            return _train(runtime, cancelled)
        except StackError:
            return False


def _train(runtime: Runtime, cancelled: threading.Event) -> bool:
    archive = runtime.archive
    staged = archive.path.with_suffix(".part")
    with tempfile.TemporaryDirectory(prefix="tailrace-training-") as name:
        folder = Path(name)
        options = archive.writing(staged)
        kafka = Kafka(folder / "kafka", folder / "log", extra_options=options, nice=_NICE)
        try:
            kafka.start(_START_TIMEOUT_S)
            process = kafka.process
            if cancelled.is_set() or process is None or kafka.address is None:
                return False
            asyncio.run(_use(kafka.address))
            written = _ended_by_itself(kafka, process, cancelled)
        finally:
            kafka.stop()
    if not written or not staged.is_file():
        staged.unlink(missing_ok=True)
        return False
    staged.replace(archive.path)
    return True


def _ended_by_itself(kafka: Kafka, process: ProcessId, cancelled: threading.Event) -> bool:
    kafka.request_end()
    deadline = time.monotonic() + _WRITE_TIMEOUT_S
    while is_alive(process):
        if cancelled.wait(_POLL_S) or time.monotonic() > deadline:
            stop_process(process, 0)
            return False
    return True


async def _use(bootstrap: str) -> None:
    """Write and read one record, so that the classes for it are in the archive too."""
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer  # noqa: PLC0415 - 0.1 s

    producer: Any = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)
    consumer: Any = AIOKafkaConsumer(
        "training", bootstrap_servers=bootstrap, group_id="training", auto_offset_reset="earliest"
    )
    try:
        await producer.start()
        await producer.send_and_wait("training", b"one")
        await consumer.start()
        await asyncio.wait_for(consumer.getone(), 30)
        await consumer.commit()
    finally:
        await consumer.stop()
        await producer.stop()
