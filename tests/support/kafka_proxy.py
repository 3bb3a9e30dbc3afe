"""A proxy before a broker that stalls, cuts connections, or loses replies on the way back.

The broker's answers name its own address; the proxy puts its own in place, of the same length, so
that a client finds no way around it.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

_PIECE = 1 << 16
_HOST = "127.0.0.1"
_START_S = 10


class KafkaProxy:
    """Hands bytes on between clients and one broker, as long as it is told nothing else."""

    def __init__(self, target: str) -> None:
        self._target_port = int(target.rpartition(":")[2])
        self.address = ""
        self.lost_replies = 0
        self.losing = False
        """Whether requests go through, and a reply ends the connection instead of arriving."""

        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kafka-proxy", daemon=True)
        self._connections: set[asyncio.Task[None]] = set()
        self._end: asyncio.Event | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()

    def start(self) -> None:
        """Listen on a free port."""
        self._thread.start()
        assert self._ready.wait(_START_S), "the proxy does not listen"

    def stop(self) -> None:
        """End every connection and stop listening."""
        assert self._end is not None
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(_START_S)

    @property
    def stalled(self) -> bool:
        """Whether nothing is handed on, in either direction."""
        return not self._flowing.is_set()

    @stalled.setter
    def stalled(self, stalled: bool) -> None:
        change = self._flowing.clear if stalled else self._flowing.set
        self._loop.call_soon_threadsafe(change)

    def cut(self) -> None:
        """End every connection that is open now."""
        self._loop.call_soon_threadsafe(self._cut)

    def _cut(self) -> None:
        for task in list(self._connections):
            task.cancel()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._end = asyncio.Event()
        listening = await asyncio.start_server(self._accept, _HOST, 0)
        self.address = f"{_HOST}:{listening.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._end.wait()
        listening.close()
        self._cut()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._connect(reader, writer))
        self._connections.add(task)
        with suppress(asyncio.CancelledError, OSError):
            await task
        self._connections.discard(task)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server, back = await asyncio.open_connection(_HOST, self._target_port)
        except OSError:
            writer.close()
            return
        ways = [
            asyncio.create_task(self._requests(reader, back)),
            asyncio.create_task(self._replies(server, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            writer.close()
            back.close()

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_PIECE):
            await self._flowing.wait()
            writer.write(data)
            await writer.drain()

    async def _replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        own = int(self.address.rpartition(":")[2])
        theirs = _HOST.encode() + self._target_port.to_bytes(4, "big")
        ours = _HOST.encode() + own.to_bytes(4, "big")
        while data := await reader.read(_PIECE):
            await self._flowing.wait()
            if self.losing:
                self.lost_replies += 1
                return
            writer.write(data.replace(theirs, ours))
            await writer.drain()


@contextmanager
def kafka_proxy(target: str) -> Generator[KafkaProxy]:
    """Stand between clients and a broker, within the block."""
    proxy = KafkaProxy(target)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
