"""A proxy before ClickHouse that loses replies: the insert goes through, the answer does not."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

_PIECE = 1 << 16


class ReplyThief:
    """Loses every n-th reply to an insert; 0 for none."""

    def __init__(self, target: str) -> None:
        self.url = ""
        self.every = 0
        self.stolen = 0
        self._inserts = 0
        self._address = urlsplit(target)
        self._serving: set[asyncio.Task[None]] = set()
        self._connections: set[asyncio.Task[Any]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hand one connection on until either side ends it, or a reply is lost."""
        this = asyncio.current_task()
        assert this is not None
        self._connections.add(this)
        try:
            server, back = await asyncio.open_connection(self._address.hostname, self._address.port)
        except OSError:  # the target is away: so is this connection
            writer.close()
            self._connections.discard(this)
            return
        asked = asyncio.Event()
        tasks = {
            asyncio.create_task(self._forth(reader, back, asked)),
            asyncio.create_task(self._answer(server, writer, asked)),
        }
        self._serving |= tasks
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._serving -= tasks
        for side in (writer, back):
            side.close()
            with suppress(OSError):
                await side.wait_closed()
        self._connections.discard(this)

    async def end(self) -> None:
        """End every connection."""
        tasks = set(self._serving)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *self._connections, return_exceptions=True)

    async def _forth(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: asyncio.Event
    ) -> None:
        while data := await reader.read(_PIECE):
            if b"FORMAT Avro" in data:
                asked.set()
            writer.write(data)
            await writer.drain()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: asyncio.Event
    ) -> None:
        while data := await reader.read(_PIECE):
            if asked.is_set() and self._takes():
                return
            asked.clear()
            writer.write(data)
            await writer.drain()

    def _takes(self) -> bool:
        self._inserts += 1
        taken = bool(self.every) and self._inserts % self.every == 0
        self.stolen += taken
        return taken


@asynccontextmanager
async def lossy_proxy(target: str) -> AsyncGenerator[ReplyThief]:
    """Listen on a free port of loopback and hand everything on to the target."""
    thief = ReplyThief(target)
    listening = await asyncio.start_server(thief.serve, "127.0.0.1", 0)
    thief.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield thief
    finally:
        listening.close()
        await thief.end()
