"""ClickHouse's own compressed blocks, as `compress=1` and `decompress=1` use them.

A block: 16 bytes of CityHash128, one byte of method, sizes of the block and of its contents as
little-endian 32-bit numbers, the contents. The checksum's algorithm is not worth carrying for a
framing that clickhouse-connect never asks for, so the gateway refuses it by name.
"""

from __future__ import annotations

from tailrace.console.local.gateway.errors import refusal


def refuse_frames(*, asked: bool) -> None:
    """Raise GatewayError for a request that asks for the native block framing."""
    if asked:
        raise refusal(
            48,
            "NOT_IMPLEMENTED",
            "compress=1 and decompress=1 are not supported by this gateway: use Accept-Encoding "
            "and Content-Encoding (lz4, zstd, gzip, deflate) instead.",
        )
