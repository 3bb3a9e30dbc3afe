"""An endpoint that takes every peer's spans, answers at once, and counts what came.

It speaks as much of OTLP over HTTP and of each product's own interface as its client asks for.
Its own process, so that its work is not counted as a peer's. `GET /counted` tells.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
import zlib
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COUNTED: Counter[str] = Counter()
_SPANS = (1, 2, 2)  # ExportTraceServiceRequest.resource_spans, .scope_spans, .spans
_LENGTH_DELIMITED = 2
_EXPERIMENT = json.dumps(
    {"experiment": {"experiment_id": "1", "name": "bench", "lifecycle_stage": "active"}}
).encode()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection."""
    try:
        while line := await reader.readline():
            method, path, _ = line.decode().split(" ", 2)
            headers = await _headers(reader)
            body = await _body(reader, headers)
            status, kind, answer = answered(method, path, body)
            COUNTED[f"{method} {path.partition('?')[0]}"] += 1
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n"
                f"Content-Length: {len(answer)}\r\n\r\n".encode()
                + answer
            )
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def _headers(reader: asyncio.StreamReader) -> dict[str, str]:
    headers: dict[str, str] = {}
    while (line := (await reader.readline()).decode().strip()) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return headers


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int((await reader.readline()).split(b";")[0], 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    encoding = headers.get("content-encoding")
    if encoding == "gzip":
        return gzip.decompress(body)
    return zlib.decompress(body) if encoding == "deflate" else body


def answered(method: str, path: str, body: bytes) -> tuple[str, str, bytes]:
    """Return status, type and content of an answer; count the spans of the request."""
    if path == "/counted":
        return "200 OK", "application/json", json.dumps(COUNTED).encode()
    if path.endswith("/v1/traces"):
        COUNTED["spans"] += sum(1 for _ in fields(body, _SPANS))
        return "200 OK", "application/x-protobuf", b""
    if path == "/version":
        return "200 OK", "text/plain", b"3.17.2"
    told: Any = json.loads(body) if body[:1] in {b"{", b"["} else {}
    if "/private/spans" in path and method == "POST":
        COUNTED["spans"] += len(told.get("spans", [None]))
    if "/private/traces" in path and method == "POST":
        COUNTED["traces"] += len(told.get("traces", [None]))
    if "/mlflow/experiments/get" in path:
        return "200 OK", "application/json", _EXPERIMENT
    if path.endswith("/mlflow/traces"):
        # As a server says that keeps spans itself: they came over OTLP.
        info = told["trace"]["trace_info"]
        info.setdefault("tags", {})["mlflow.trace.spansLocation"] = "TRACKING_STORE"
        return "200 OK", "application/json", json.dumps(told).encode()
    return "200 OK", "application/json", b"{}"


def fields(message: bytes, path: Sequence[int]) -> Iterator[bytes]:
    """Yield the embedded messages of a Protobuf message that lie at a path of field numbers."""
    place = 0
    while place < len(message):
        tag, place = varint(message, place)
        if tag & 7 == _LENGTH_DELIMITED:
            size, place = varint(message, place)
            if tag >> 3 == path[0]:
                inner = message[place : place + size]
                yield from fields(inner, path[1:]) if len(path) > 1 else (inner,)
            place += size
        else:
            place = (
                varint(message, place)[1] if tag & 7 == 0 else place + (8 if tag & 7 == 1 else 4)
            )


def varint(message: bytes, place: int) -> tuple[int, int]:
    """Return a number and the place after it."""
    number = shift = 0
    while True:
        byte = message[place]
        place += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:  # noqa: PLR2004 - the last of its bytes
            return number, place


async def main() -> None:
    """Serve until killed; the first line printed is the port."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 26)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
