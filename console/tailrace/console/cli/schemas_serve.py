"""`tailrace schemas serve`: the schemas as a read-only registry over HTTP."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import AsyncExitStack
from typing import Annotated

import typer

from tailrace.console.schema_view.server import LOOPBACK, serving
from tailrace.schemas.endpoints import NoEndpointError, kafka_options
from tailrace.schemas.schema_book import SchemaBook
from tailrace.schemas.schema_log import SchemaFollower, SchemaLogError

DEFAULT_PORT = 8081
_FOLLOW_TIMEOUT_S = 10.0


def command(
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = DEFAULT_PORT,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = LOOPBACK,
) -> None:
    """Serve the schemas to Kafka tools, as Confluent's registry would; nothing can be written.

    Serves those that ship here and, if a Kafka is reachable, those that newer producers have
    published to the schemas topic. Ctrl-C ends it.
    """
    asyncio.run(_serve(host, port))


async def _serve(host: str, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    book = SchemaBook()
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(serving(book, host=host, port=port))
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()
        follower = await _follow(book)
        if follower is not None:
            stack.push_async_callback(follower.stop)
        await stop.wait()


async def _follow(book: SchemaBook) -> SchemaFollower | None:
    try:
        follower = SchemaFollower(book, options=kafka_options())
        await follower.start(_FOLLOW_TIMEOUT_S)
    except (NoEndpointError, SchemaLogError) as error:
        sys.stderr.write(f"serving the {len(book)} schemas that ship here alone: {error}\n")
        return None
    sys.stderr.write(f"serving {len(book)} schemas, following {follower.topic}\n")
    return follower
