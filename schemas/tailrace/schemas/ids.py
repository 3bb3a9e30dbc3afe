"""Identities of traces and runs: 32 hex digits in the layout of a UUIDv7, so they sort by time.

A trace id is a valid W3C trace id. A foreign `traceparent` may bring ids that are not of this
layout, so nothing may rely on an id's order: time queries use time columns.
"""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_RANDOM_BYTES = 10
_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")


def new_id(now_ms: int | None = None, entropy: Callable[[int], bytes] = os.urandom) -> str:
    """Return a new id: 48 bits of milliseconds, then 74 random bits around version and variant.

    Args:
        now_ms: milliseconds since the epoch; the clock's when None.
        entropy: gives that many random bytes; the seam for tests. `os.urandom` stays random in a
            forked child, where Python's own generator would repeat its parent's ids.
    """
    milliseconds = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    random = int.from_bytes(entropy(_RANDOM_BYTES), "big")
    high = (milliseconds & 0xFFFF_FFFF_FFFF) << 16 | 0x7000 | random >> 68
    low = 0x8000_0000_0000_0000 | random & 0x3FFF_FFFF_FFFF_FFFF
    return f"{high << 64 | low:032x}"


def id_time_ms(identity: str) -> int:
    """Return the milliseconds since the epoch that an id of ours was minted at."""
    return int(identity[:12], 16)


def is_id(text: str) -> bool:
    """Say whether a text can be a trace or run id: 32 lower-case hex digits, not all zero."""
    return _ID.fullmatch(text) is not None
