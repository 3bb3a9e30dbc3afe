from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from support.log_journal import create_topics, fleet, write_async
from support.log_sinks import rows_and_identities, running_sink
from tailrace.console.local.clickhouse import ClickHouse
from tailrace.sinks.sink import SinkOptions, wait_until_stored

if TYPE_CHECKING:
    from pathlib import Path


def test_a_clickhouse_that_goes_away_and_comes_back_loses_and_repeats_nothing(
    kafka: str, topic_prefix: str, tmp_path: Path
) -> None:
    create_topics(kafka, topic_prefix)
    clickhouse = ClickHouse(tmp_path / "clickhouse", tmp_path / "clickhouse.log")
    clickhouse.start()
    options = SinkOptions(
        kafka=kafka, clickhouse=clickhouse.address, database="restarted", prefix=topic_prefix
    )

    async def go_away_and_come_back() -> int:
        async with running_sink(options) as stats:
            await write_async(kafka, topic_prefix, fleet(200))
            await wait_until_stored(options)
            await asyncio.to_thread(clickhouse.stop)
            await write_async(kafka, topic_prefix, fleet(200))
            while not stats.retries:  # noqa: ASYNC110 - the sink only counts
                await asyncio.sleep(0)
            await asyncio.to_thread(clickhouse.start)
            await wait_until_stored(options)
        return stats.retries

    try:
        assert asyncio.run(go_away_and_come_back()) > 0
        assert rows_and_identities(options, "events", "run_id", "seq") == (2000, 2000)
    finally:
        clickhouse.stop()
