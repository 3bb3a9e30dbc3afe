"""Running a statement that has no data of its own, and handing its result to the reply."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tailrace.console.local.gateway.engine import quote_text
from tailrace.console.local.gateway.errors import from_engine, refusal
from tailrace.console.local.gateway.formats import CONCATENABLE
from tailrace.console.local.gateway.headed import HEADERS, Joined
from tailrace.console.local.gateway.parked import into_file, parking_place, send_file

if TYPE_CHECKING:
    from tailrace.console.local.gateway.connection import Connection, Result, Stream
    from tailrace.console.local.gateway.engine import Engine
    from tailrace.console.local.gateway.lanes import Lane
    from tailrace.console.local.gateway.reply import Reply
    from tailrace.console.local.gateway.statement import Read

_NOT_STREAMABLE = "Streaming query is not supported"
_FORMAT_NAME = re.compile(r"[A-Za-z0-9_]{1,64}\Z")
_LONG_BYTES = 50_000
"""The engine shows running statements cut at a length; the mark of a longer one stands in front."""


@dataclass(frozen=True)
class Reading:
    """One statement on one connection, and the mark by which another connection can stop it."""

    lane: Lane
    engine: Engine
    connection: Connection
    read: Read
    output: str
    params: dict[str, str]
    mark: str

    async def run(self, reply: Reply) -> None:
        """Run it; raises GatewayError. A client that goes away stops it in the engine."""
        output = self.output.lower()
        try:
            if self.read.streams and (output in CONCATENABLE or output in HEADERS):
                await self._stream(reply)
            elif self.read.streams:
                await self._park(reply)
            else:
                await self._whole(reply)
        except RuntimeError as raised:
            raise from_engine(raised) from raised

    async def _stream(self, reply: Reply) -> None:
        sql = self._marked(self.read.sql)
        try:
            stream = await self.lane.run(
                lambda: self.connection.send_query(sql, self.output, self.params), self._stop
            )
        except RuntimeError as raised:
            if _NOT_STREAMABLE not in str(raised):
                raise
            await self._whole(reply)
            return
        joined = Joined(self.output)
        try:
            while (chunk := await self.lane.run(lambda: _fetch(stream), self._stop)) is not None:
                data, rows = chunk
                reply.summary.result_rows += rows
                await reply.send(joined.add(data))
        finally:
            await self.lane.run(stream.cancel)
        if reply.summary.result_rows == 0 and self.output.lower() in HEADERS:
            await self._whole(reply)  # a stream without rows has no chunk to take the header from
        await reply.send(joined.end())

    async def _whole(self, reply: Reply) -> None:
        sql = self._marked(self.read.sql)
        result = await self.lane.run(
            lambda: self.connection.query(sql, self.output, self.params), self._stop
        )
        _count(reply, result)
        await reply.send(result.bytes())

    async def _park(self, reply: Reply) -> None:
        with parking_place() as place:
            sql = self._marked(into_file(self.read, place, self.output))
            result = await self.lane.run(
                lambda: self.connection.query(sql, "Null", self.params), self._stop
            )
            _count(reply, result)
            await send_file(self.lane, place, reply)

    def _marked(self, sql: bytes) -> bytes:
        mark = self.mark.encode()
        return mark + b"\n" + sql if len(sql) > _LONG_BYTES else sql + b"\n" + mark

    def _stop(self) -> None:
        connection = self.engine.connect()
        try:
            mark = quote_text(self.mark)
            found = f"(endsWith(query, {mark}) OR startsWith(query, {mark}))"
            connection.query(f"KILL QUERY WHERE {found} ASYNC".encode(), "Null")
        finally:
            connection.close()


def reading(
    lane: Lane,
    engine: Engine,
    connection: Connection,
    read: Read,
    *,
    output: str,
    params: dict[str, str],
) -> Reading:
    """Make a reading; raises GatewayError for a format that cannot be a name."""
    if not _FORMAT_NAME.match(output):
        raise refusal(73, "UNKNOWN_FORMAT", f"Unknown format {output[:64]!r}.")
    return Reading(lane, engine, connection, read, output, params, f"/* {uuid.uuid4().hex} */")


def _fetch(stream: Stream) -> tuple[bytes, int] | None:
    chunk = stream.fetch()
    return None if chunk is None else (chunk.bytes(), chunk.rows_read())


def _count(reply: Reply, result: Result) -> None:
    summary = reply.summary
    summary.read_rows = result.storage_rows_read()
    summary.read_bytes = result.storage_bytes_read()
    summary.written_rows = result.rows_written()
    summary.written_bytes = result.bytes_written()
    summary.result_rows = result.rows_read()
    summary.elapsed_ns = int(result.elapsed() * 1e9)
