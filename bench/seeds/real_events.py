"""Events as the product itself makes them: the example fleet, and recorded runs if a file is given.

A few thousand of them, through a broker and the archive sink, into a database whose `events` and
`bodies` others copy from. The fleet lies in `examples`, which importing this puts within reach.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tailrace.console.importing.identity import Grouping
from tailrace.console.importing.importer import Importer
from tailrace.console.importing.log import open_log
from tailrace.console.importing.plan import Plan
from tailrace.console.importing.times import file_time
from tailrace.console.local.kafka import Kafka
from tailrace.producers import Tailrace
from tailrace.schemas.topic_admin import apply
from tailrace.sinks.sink import SinkOptions, run_sink, wait_until_stored

sys.path.append(str(Path(__file__).parents[2]))
from examples.support_agent.fleet import run_fleet

PREFIX = "seed."
_LIMIT_S = 120.0


def record(
    clickhouse: str, database: str, folder: Path, conversations: int, trajectories: Path | None
) -> None:
    """Fill `database` with the events of a fleet and, if given, of recorded runs.

    Args:
        clickhouse: its address; the database may not exist yet.
        database: where `events` and `bodies` are filled.
        folder: for a broker that lives as long as this call.
        conversations: customers that the fleet serves.
        trajectories: a file in the form that `tailrace import` reads, with `task_id` and `trial`.
    """
    kafka = Kafka(folder / "kafka", folder / "kafka.log")
    kafka.start()
    try:
        assert kafka.address is not None
        options = SinkOptions(kafka.address, clickhouse, database, PREFIX)
        asyncio.run(_record(options, conversations, trajectories))
    finally:
        kafka.stop()


async def _record(options: SinkOptions, conversations: int, trajectories: Path | None) -> None:
    assert options.kafka is not None
    await apply(prefix=PREFIX, partitions=4, options={"bootstrap_servers": options.kafka})
    async with Tailrace(options.kafka, prefix=PREFIX):
        await run_fleet(conversations, scripted=True)
    if trajectories is not None:
        grouping = Grouping(trajectories.stem, "recorded", "task_id", "trial", "trial")
        plan = Plan(trajectories.name, grouping, "recorded", file_time(trajectories))
        opened = open_log(kafka=options.kafka, clickhouse=options.clickhouse, prefix=PREFIX)
        async with opened as destination:
            await Importer(plan, destination).run(trajectories)
    stop = asyncio.Event()
    sink = asyncio.create_task(run_sink(options, stop))
    await wait_until_stored(options, _LIMIT_S)
    stop.set()
    await sink
