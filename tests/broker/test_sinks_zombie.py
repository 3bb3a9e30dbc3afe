from __future__ import annotations

import asyncio
import signal

import pytest

from support.log_journal import create_topics, fleet, write_async
from support.log_sinks import STORED_S, archive, rows_and_identities, spawn_sink
from support.waiting import wait_until
from tailrace.sinks.clickhouse import NotMigratedError
from tailrace.sinks.sink import SinkOptions, wait_until_stored

WAVE = 2000


@pytest.mark.timeout(600)  # the sum of its bounds; it takes half a minute
def test_a_sink_that_sleeps_beyond_its_session_and_wakes_repeats_nothing(
    kafka: str, clickhouse: str, database: str, topic_prefix: str
) -> None:
    create_topics(kafka, topic_prefix)
    options = SinkOptions(
        kafka=kafka, clickhouse=clickhouse, database=database, prefix=topic_prefix
    )

    def some_are_stored() -> bool:
        try:
            return rows_and_identities(options, "events", "run_id", "seq")[0] > 0
        except NotMigratedError:
            return False

    def until_some_are_stored() -> None:
        wait_until(some_are_stored, "a row", timeout_s=STORED_S, poll_s=0.2)

    async def sleep_and_wake() -> None:
        sleeper = await asyncio.to_thread(spawn_sink, options)
        try:
            await write_async(kafka, topic_prefix, fleet(WAVE))
            await asyncio.to_thread(until_some_are_stored)
            await write_async(kafka, topic_prefix, fleet(WAVE))
            sleeper.send_signal(signal.SIGSTOP)
            await archive(options)  # the group has to miss the sleeper first
            sleeper.send_signal(signal.SIGCONT)
            await write_async(kafka, topic_prefix, fleet(WAVE))
            await wait_until_stored(options, STORED_S)
        finally:
            sleeper.send_signal(signal.SIGCONT)
            sleeper.kill()
            await asyncio.to_thread(sleeper.wait)

    asyncio.run(sleep_and_wake())

    assert rows_and_identities(options, "events", "run_id", "seq") == (15 * WAVE, 15 * WAVE)
