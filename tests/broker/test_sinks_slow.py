"""What takes longer than the group's session costs a sink neither its membership nor a row."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from support.log_journal import create_topics, fleet, write
from support.log_sinks import STORED_S, rows_and_identities, running_sink
from tailrace.sinks.archive import consumer, log_identity
from tailrace.sinks.archive.storing import BlockStore
from tailrace.sinks.sink import SinkOptions, wait_until_stored

SESSION_MS = 6_000  # the least that a broker grants
LONGER_S = 7.0


@pytest.mark.timeout(400)
def test_a_slow_check_and_a_slow_insert_outlast_the_session_and_keep_the_partitions(
    kafka: str,
    clickhouse: str,
    database: str,
    topic_prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create_topics(kafka, topic_prefix, partitions=1)
    write(kafka, topic_prefix, fleet(40))
    options = SinkOptions(
        kafka=kafka, clickhouse=clickhouse, database=database, prefix=topic_prefix
    )
    check, store = log_identity.check_partitions, BlockStore.store
    assignments: list[Any] = []
    slow = threading.Lock()

    async def check_slowly(*told: Any) -> Any:
        assignments.append(told)
        await asyncio.to_thread(threading.Event().wait, LONGER_S)
        return await check(*told)

    def store_slowly(*told: Any, **named: Any) -> Any:
        if slow.acquire(blocking=False):
            threading.Event().wait(LONGER_S)
        return store(*told, **named)

    monkeypatch.setattr(consumer, "SESSION_TIMEOUT_MS", SESSION_MS)
    monkeypatch.setattr(log_identity, "check_partitions", check_slowly)
    monkeypatch.setattr(BlockStore, "store", store_slowly)

    async def archive_slowly() -> None:
        async with running_sink(options):
            await wait_until_stored(options, STORED_S)

    asyncio.run(archive_slowly())

    assert slow.locked()
    assert len(assignments) == 1, "the group took the partitions away"
    assert rows_and_identities(options, "events", "run_id", "seq") == (200, 200)
