"""Running an INSERT whose rows follow it, as they arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.console.local.gateway.body import Body, check_size
from tailrace.console.local.gateway.errors import from_engine
from tailrace.console.local.gateway.proof import Proof

if TYPE_CHECKING:
    from tailrace.console.local.gateway.connection import Connection, Inserter
    from tailrace.console.local.gateway.lanes import Lane
    from tailrace.console.local.gateway.proof import FailedInserts
    from tailrace.console.local.gateway.reply import Reply
    from tailrace.console.local.gateway.statement import Insert

_APPEND_BYTES = 1 << 20


async def run_insert(
    lane: Lane,
    connection: Connection,
    insert: Insert,
    *,
    failed: FailedInserts,
    body: Body,
    reply: Reply,
    limit: int,
) -> None:
    """Insert what came with the statement and the rest of the body; raises GatewayError.

    When this returns, the rows are stored. If it raises, or is cancelled because the client went
    away, the insert is cancelled; blocks the engine already wrote stay, as in ClickHouse (one
    block holds a million rows unless settings say otherwise).
    """
    try:
        proof = Proof(connection, insert.head, failed)
        await lane.run(proof.begin)
        inserter = await lane.run(lambda: connection.send_insert(insert.head, insert.format))
        try:
            await _feed(lane, inserter, insert.data, body, limit)
            written = await lane.run(inserter.finish)
        except BaseException:
            await lane.run(inserter.cancel)
            raise
        failure = await lane.run(proof.failure)
        if failure is not None:
            raise failure
    except RuntimeError as raised:
        raise from_engine(raised) from raised
    reply.summary.written_rows = reply.summary.read_rows = written.rows_written
    reply.summary.written_bytes = reply.summary.read_bytes = written.bytes_written
    reply.summary.elapsed_ns = int(written.elapsed * 1e9)


async def _feed(lane: Lane, inserter: Inserter, first: bytes, body: Body, limit: int) -> None:
    waiting = bytearray(first)
    size_bytes = len(first)
    async for piece in body.pieces():
        size_bytes += len(piece)
        check_size(size_bytes, limit, "insert")
        waiting += piece
        if len(waiting) >= _APPEND_BYTES:
            await _append(lane, inserter, waiting)
    if waiting:
        await _append(lane, inserter, waiting)


async def _append(lane: Lane, inserter: Inserter, waiting: bytearray) -> None:
    data = bytes(waiting)
    waiting.clear()
    await lane.run(lambda: inserter.append(data))
