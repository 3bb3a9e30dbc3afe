"""Running a statement that has no data of its own, and handing its result to the reply."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tailrace.console.local.gateway.engine import Connection, Engine, Result, Stream, quote_text
from tailrace.console.local.gateway.errors import from_engine
from tailrace.console.local.gateway.formats import CONCATENABLE

if TYPE_CHECKING:
    from tailrace.console.local.gateway.lanes import Lane
    from tailrace.console.local.gateway.reply import Reply
    from tailrace.console.local.gateway.request import Ask
    from tailrace.console.local.gateway.statement import Read

_NOT_STREAMABLE = "Streaming query is not supported"


async def run_read(
    lane: Lane, engine: Engine, connection: Connection, read: Read, ask: Ask, reply: Reply
) -> None:
    """Run it; raises GatewayError. If the client goes away, the engine stops working on it."""
    mark = f"/* gateway query {ask.query_id.replace('*', '')} */"
    sql = read.sql + f"\n{mark}".encode()
    output = read.format or ask.default_format
    try:
        if read.streams and output.lower() in CONCATENABLE:
            await _stream(lane, connection, sql, output, ask, reply)
        else:
            await _whole(lane, connection, sql, output, ask, reply)
    except RuntimeError as raised:
        raise from_engine(raised) from raised
    except asyncio.CancelledError:
        raise


async def _stream(
    lane: Lane, connection: Connection, sql: bytes, output: str, ask: Ask, reply: Reply
) -> None:
    try:
        stream = await lane.run(lambda: connection.send_query(sql, output, ask.params))
    except RuntimeError as raised:
        if _NOT_STREAMABLE not in str(raised):
            raise
        await _whole(lane, connection, sql, output, ask, reply)
        return
    try:
        while (chunk := await lane.run(lambda: _fetch(stream))) is not None:
            data, rows = chunk
            reply.summary.result_rows += rows
            reply.summary.read_rows += rows
            await reply.send(data)
    finally:
        await lane.run(stream.cancel)


def _fetch(stream: Stream) -> tuple[bytes, int] | None:
    chunk = stream.fetch()
    return None if chunk is None else (chunk.bytes(), chunk.rows_read())


async def _whole(
    lane: Lane, connection: Connection, sql: bytes, output: str, ask: Ask, reply: Reply
) -> None:
    result = await lane.run(lambda: connection.query(sql, output, ask.params))
    _count(reply, result)
    await reply.send(result.bytes())


def _count(reply: Reply, result: Result) -> None:
    summary = reply.summary
    summary.read_rows = result.storage_rows_read()
    summary.read_bytes = result.storage_bytes_read()
    summary.written_rows = result.rows_written()
    summary.written_bytes = result.bytes_written()
    summary.result_rows = result.rows_read()
    summary.elapsed_ns = int(result.elapsed() * 1e9)


def kill(engine: Engine, mark: str) -> None:
    """Stop the statement that carries this mark; does nothing if it has ended. Blocks shortly."""
    connection = engine.connect()
    try:
        connection.query(
            f"KILL QUERY WHERE endsWith(query, {quote_text(mark)}) ASYNC".encode(), "Null"
        )
    finally:
        connection.close()
