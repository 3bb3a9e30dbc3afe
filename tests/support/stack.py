"""Servers of the tests' own: the real broker and the real gateway, each in a temporary folder."""

from __future__ import annotations

import tempfile
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tailrace.console.local.clickhouse import ClickHouse
from tailrace.console.local.kafka import Kafka

if TYPE_CHECKING:
    from collections.abc import Generator

_REQUEST_TIMEOUT_S = 30


@contextmanager
def running_kafka() -> Generator[Kafka]:
    """A broker with nothing in it; gone at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="tailrace-kafka-") as folder:
        kafka = Kafka(Path(folder) / "kafka", Path(folder) / "kafka.log")
        kafka.start()
        try:
            yield kafka
        finally:
            kafka.stop()


@contextmanager
def running_clickhouse() -> Generator[ClickHouse]:
    """A gateway with nothing in it; gone at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="tailrace-clickhouse-") as folder:
        clickhouse = ClickHouse(Path(folder) / "clickhouse", Path(folder) / "clickhouse.log")
        clickhouse.start()
        try:
            yield clickhouse
        finally:
            clickhouse.stop()


def address_of(member: Kafka | ClickHouse) -> str:
    assert member.address is not None
    return member.address


def query(url: str, sql: str) -> str:
    """Send one statement by plain HTTP and return the answer's text; raises on an error answer."""
    request = urllib.request.Request(url, data=sql.encode(), method="POST")  # noqa: S310 - ours, http
    with urllib.request.urlopen(request, timeout=_REQUEST_TIMEOUT_S) as answer:  # noqa: S310 - same
        return answer.read().decode()
