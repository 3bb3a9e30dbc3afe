"""Archive sinks for tests: in this process, or in one of their own that can be killed."""

from __future__ import annotations

import argparse
import asyncio
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tailrace.schemas.errors import TailraceError
from tailrace.sinks.clickhouse import ask, connect
from tailrace.sinks.sink import SinkOptions, SinkStats, run_sink, wait_until_stored

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

STORED_S = 180.0
_STOP_S = 40.0


@asynccontextmanager
async def running_sink(options: SinkOptions) -> AsyncGenerator[SinkStats]:
    """Run a sink in this loop for the length of the block; its failure is the block's."""
    stop = asyncio.Event()
    stats = SinkStats()
    sink = asyncio.create_task(run_sink(options, stop, stats=stats))
    block = asyncio.current_task()
    assert block is not None
    sink.add_done_callback(lambda _: None if stop.is_set() else block.cancel())
    try:
        yield stats
    except asyncio.CancelledError:
        if sink.done() and not sink.cancelled():
            block.uncancel()
            sink.result()
        raise
    finally:
        stop.set()
        await asyncio.wait({sink}, timeout=_STOP_S)
    assert sink.done(), f"the sink did not stop within {_STOP_S} s"
    sink.result()


async def archive(options: SinkOptions) -> SinkStats:
    """Run a sink until everything that lies in the log now is stored."""
    async with running_sink(options) as stats:
        await wait_until_stored(options, STORED_S)
    return stats


def spawn_sink(options: SinkOptions) -> subprocess.Popen[bytes]:
    """Start a sink in a process of its own; the caller ends it by its pid."""
    arguments = {
        "--kafka": options.kafka,
        "--clickhouse": options.clickhouse,
        "--database": options.database,
        "--prefix": options.prefix,
        "--instance": options.instance,
    }
    told = [text for name, value in arguments.items() if value for text in (name, value)]
    return subprocess.Popen([sys.executable, __file__, *told])


def rows_and_identities(options: SinkOptions, table: str, *identity: str) -> tuple[int, int]:
    """Return a table's rows as they lie there, and how many identities they have."""
    assert options.clickhouse is not None
    client = connect(options.clickhouse, options.database)
    columns = ", ".join(f"`{name}`" for name in identity)
    found = ask(
        client,
        f"SELECT count() AS rows, uniqExact({columns}) AS identities FROM {{table:Identifier}}",  # noqa: S608 - the test's own names
        {"table": table},
    )[0]
    client.close()
    return found["rows"], found["identities"]


async def serve(options: SinkOptions) -> None:
    """Run a sink until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await run_sink(options, stop)


def main() -> None:
    """Be the process of `spawn_sink`: 3 for an error with a sentence, 1 for any other."""
    parser = argparse.ArgumentParser()
    for name in ("--kafka", "--clickhouse", "--database", "--prefix", "--instance"):
        parser.add_argument(name)
    try:
        asyncio.run(serve(SinkOptions(**vars(parser.parse_args()))))
    except TailraceError as error:
        sys.exit(told(error))


def told(error: TailraceError) -> int:
    """Print the error's sentence; return the exit code."""
    print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 - its own output
    return 3


if __name__ == "__main__":
    main()
