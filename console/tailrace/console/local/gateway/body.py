"""A request's body as decoded pieces, bounded, and its multipart form."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from tailrace.console.local.gateway.compression import Plain, decoder
from tailrace.console.local.gateway.errors import (
    BAD_ARGUMENTS,
    NOT_ENOUGH_MEMORY_FOR_BODY,
    refusal,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_SMALL_BYTES = 32 << 10
_PIECE_BYTES = 256 << 10
_MAX_PARTS = 1000


class Body:
    """The decoded bytes of a request, read once, in order.

    Raises GatewayError for a body that is longer than allowed or not what its headers say.
    """

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._decoder = decoder(request.headers.get("Content-Encoding", ""))
        self._ended = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield pieces until the end; a client that goes away raises instead of ending it."""
        while not self._ended:
            data = await self._request.content.readany()
            if not data:
                self._ended = True
                self._decoder.end()
                return
            data = await self._decode(data)
            if data:
                yield data

    async def _decode(self, data: bytes) -> bytes:
        if len(data) < _SMALL_BYTES or isinstance(self._decoder, Plain):
            return self._decoder.feed(data)
        return await asyncio.to_thread(self._decoder.feed, data)

    async def read_all(self, limit: int) -> bytes:
        """Read to the end; raises GatewayError beyond `limit` bytes."""
        found = bytearray()
        async for piece in self.pieces():
            found += piece
            check_size(len(found), limit, "query")
        return bytes(found)


def check_size(size_bytes: int, limit: int, what: str) -> None:
    """Raise GatewayError if something is longer than its bound."""
    if size_bytes > limit:
        raise refusal(
            NOT_ENOUGH_MEMORY_FOR_BODY,
            "TOO_MANY_BYTES",
            f"The {what} is longer than {limit} bytes, the most that this gateway takes.",
        )


async def read_form(request: web.Request, limit: int) -> list[tuple[str, bytes]]:
    """Read a multipart form's fields; raises GatewayError for files and for a broken form."""
    fields: list[tuple[str, bytes]] = []
    size_bytes = 0
    try:
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            if not isinstance(part, BodyPartReader) or part.name is None or part.filename:
                raise refusal(
                    48,
                    "NOT_IMPLEMENTED",
                    "External tables in a request are not supported by this gateway: "
                    "insert the rows into a table first.",
                )
            value = bytearray()
            while piece := await part.read_chunk(_PIECE_BYTES):
                value += part.decode(piece)
                check_size(size_bytes + len(value), limit, "form")
            size_bytes += len(value)
            fields.append((part.name, bytes(value)))
            check_size(len(fields), _MAX_PARTS, "form's list of fields")
    except (ValueError, AssertionError, RuntimeError, KeyError, HttpProcessingError) as raised:
        # What aiohttp raises for a boundary that is missing or a part that is cut off.
        raise refusal(
            BAD_ARGUMENTS, "BAD_ARGUMENTS", "The body is not a complete multipart form."
        ) from raised
    return fields
