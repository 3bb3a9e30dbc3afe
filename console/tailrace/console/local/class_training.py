"""Makes the broker's class archive: a broker in a temporary folder that ends at once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import tempfile
import threading
from pathlib import Path
from typing import Any

from aiokafka.errors import KafkaError as KafkaClientError

from tailrace.console.local.cache import cache_folder
from tailrace.console.local.errors import StackError
from tailrace.console.local.kafka import Kafka, Runtime, find_runtime
from tailrace.console.local.locks import FolderLock
from tailrace.console.local.processes import wait_gone
from tailrace.schemas.consumers import stop_consumer

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
    if cancelled.is_set():
        return False
    runtime = find_runtime()
    if runtime.archive.exists():
        return False
    with FolderLock(cache_folder("classes") / "lock") as lock:
        if not lock.try_acquire():
            return False
        try:
            return _train(runtime, cancelled)
        except (StackError, KafkaClientError, OSError):
            return False


def _train(runtime: Runtime, cancelled: threading.Event) -> bool:
    archive = runtime.archive
    staged = archive.path.with_suffix(".part")
    _remove_parts(archive.path.parent)  # of a training that was killed
    with tempfile.TemporaryDirectory(prefix="tailrace-training-") as name:
        kafka = Kafka(
            Path(name) / "kafka",
            Path(name) / "log",
            extra_options=archive.writing(staged),
            nice=_NICE,
            stop_timeout_s=0,
        )
        try:
            written = _end_soon(kafka, cancelled)
            if written and staged.is_file():
                archive.keep(staged)
            return written
        finally:
            kafka.stop()
            _remove_parts(archive.path.parent)


def _remove_parts(folder: Path) -> None:
    """Remove what is not whole, Java's own intermediate files too: each is as large as an archive.

    The caller holds the lock, so nobody else is making one.
    """
    for part in folder.glob("*.part*"):
        part.unlink(missing_ok=True)


def _end_soon(kafka: Kafka, cancelled: threading.Event) -> bool:
    """Use a broker for a moment and wait until it has written its archive; False if cancelled."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_POLL_S):
            if cancelled.is_set():
                kafka.stop()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        kafka.start(_START_TIMEOUT_S)
        process, address = kafka.process, kafka.address
        if process is None or address is None or cancelled.is_set():
            return False
        asyncio.run(_use(address))
        kafka.request_end()
        return wait_gone(process, _WRITE_TIMEOUT_S) and not cancelled.is_set()
    finally:
        done.set()
        watcher.join()


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
        await stop_consumer(consumer)
        await producer.stop()


def main() -> None:
    """Make the archive ahead of time, for who will start many brokers; says nothing."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it complains until topics are there
    with contextlib.suppress(StackError):  # whoever starts a broker will hear of it
        train_if_missing(threading.Event())


if __name__ == "__main__":
    main()
