"""One answer: held back while it is small, streamed when it grows, and never cut short unseen.

An error before the first byte was sent becomes a status and a code. After that, the client is told
as ClickHouse does since 25.11: a tagged block at the end of the body, and no final chunk, so that a
reader which knows nothing of the tag sees a broken transfer.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from tailrace.console.local.gateway.compression import Encoder
    from tailrace.console.local.gateway.errors import GatewayError

HELD_BYTES = 1 << 20
"""What is held back, so that an early error can still become a status."""


@dataclass
class Summary:
    """What a statement did, as X-ClickHouse-Summary says it."""

    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_rows: int = 0
    result_bytes: int = 0
    elapsed_ns: int = 0

    def header(self) -> str:
        """Write the header's value: numbers as texts."""
        told = {name: str(value) for name, value in vars(self).items()}
        return json.dumps({**told, "total_rows_to_read": "0"})


@dataclass
class Reply:
    """The answer to one request, begun when it must be."""

    request: web.Request
    headers: dict[str, str]
    encoding: tuple[str, Encoder] | None = None
    summary: Summary = field(default_factory=Summary)
    _held: bytearray = field(default_factory=bytearray)
    _stream: web.StreamResponse | None = None
    _tag: str = field(default_factory=lambda: secrets.token_hex(8))

    async def send(self, data: bytes) -> None:
        """Take a part of the result; blocks while the client is slow."""
        self.summary.result_bytes += len(data)
        if self._stream is None:
            self._held += data
            if len(self._held) < HELD_BYTES:
                return
            data = bytes(self._held)
            self._held.clear()
        await self._write(data)

    async def finish(self) -> web.StreamResponse:
        """End the answer."""
        if self._stream is None:
            body = bytes(self._held)
            if self.encoding and body:
                name, encoder = self.encoding
                body = encoder.feed(body) + encoder.end()
                self.headers["Content-Encoding"] = name
            return web.Response(body=body, headers=self._all_headers())
        if self.encoding:
            await self._stream.write(self.encoding[1].end())
        await self._stream.write_eof()
        return self._stream

    async def fail(self, error: GatewayError) -> web.StreamResponse:
        """Tell the client that the statement failed, whatever was sent before."""
        if self._stream is None:
            return error_response(error, self.headers)
        text = error.text.encode()
        tag = self._tag.encode()
        block = b"\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n" % (
            tag, text, len(text) + 1, tag,
        )  # fmt: skip
        await self._write(block)
        if self.encoding:
            await self._stream.write(self.encoding[1].end())
        transport = self.request.transport
        if transport is not None:
            transport.close()  # what is written still goes out; the final chunk does not
        return self._stream

    async def _write(self, data: bytes) -> None:
        if self._stream is None:
            headers = self._all_headers()
            if self.encoding:
                headers["Content-Encoding"] = self.encoding[0]
            headers["X-ClickHouse-Exception-Tag"] = self._tag
            self._stream = web.StreamResponse(headers=headers)
            self._stream.enable_chunked_encoding()
            await self._stream.prepare(self.request)
        if self.encoding:
            # On a thread, because a large chunk takes milliseconds that other requests would wait.
            data = await asyncio.to_thread(self.encoding[1].feed, data)
        if data:
            await self._stream.write(data)

    def _all_headers(self) -> dict[str, str]:
        return {**self.headers, "X-ClickHouse-Summary": self.summary.header()}


def error_response(error: GatewayError, headers: dict[str, str]) -> web.Response:
    """Answer with an error that happened before anything was sent."""
    kept = {name: value for name, value in headers.items() if name.startswith("X-ClickHouse-")}
    return web.Response(
        status=error.status,
        body=error.text.encode("utf-8", "replace") + b"\n",
        headers={
            **kept,
            "X-ClickHouse-Exception-Code": str(error.code),
            "Content-Type": "text/plain; charset=UTF-8",
        },
    )
