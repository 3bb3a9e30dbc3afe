"""How a record lies in a segment of the spool: marked, measured, checksummed.

    marker (4 bytes) · length (4) · CRC-32 of length and content (4) · content

The content is one byte of flags, the lengths of topic and key, topic, key, value. The marker makes
a reader find the next record behind a damaged one.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

MARKER = b"\xf5TR\x01"

_HEAD = struct.Struct(">4sII")
_CONTENT = struct.Struct(">BBH")
_LENGTH = struct.Struct(">I")
_LAST = 1


@dataclass(frozen=True, slots=True)
class SpooledRecord:
    """A record as it waits on disk."""

    topic: str
    """The topic's suffix."""

    key: bytes

    value: bytes

    is_last: bool
    """Whether it is its run's last event: sent when all that lies before it is acknowledged."""


@dataclass(slots=True)
class Scan:
    """What a segment holds."""

    records: list[SpooledRecord] = field(default_factory=list[SpooledRecord])

    places: list[int] = field(default_factory=list[int])
    """Where each record begins, in bytes."""

    corrupt: int = 0
    """Damaged stretches that were skipped, with whole records behind them."""

    torn_bytes: int = 0
    """Bytes at the end that are no whole record: what a killed process was writing."""


def frame(topic: str, key: bytes, value: bytes, *, is_last: bool) -> bytes:
    """Return a record's bytes on disk."""
    name = topic.encode()
    content = b"".join(
        (_CONTENT.pack(_LAST if is_last else 0, len(name), len(key)), name, key, value)
    )
    length = _LENGTH.pack(len(content))
    checksum = zlib.crc32(content, zlib.crc32(length))
    return _HEAD.pack(MARKER, len(content), checksum) + content


def scan(data: bytes) -> Scan:
    """Return every whole record of a segment, in order; damage costs only what it touched."""
    found = Scan()
    place = 0
    while place < len(data):
        content = _content_at(data, place)
        if content is not None:
            found.records.append(_record(content))
            found.places.append(place)
            place += _HEAD.size + len(content)
            continue
        behind = _next_whole(data, place + 1)
        if behind is None:
            found.torn_bytes = len(data) - place
            break
        found.corrupt += 1
        place = behind
    return found


def _content_at(data: bytes, place: int) -> bytes | None:
    if len(data) - place < _HEAD.size:
        return None
    marker, length, checksum = _HEAD.unpack_from(data, place)
    begin = place + _HEAD.size
    if marker != MARKER or length < _CONTENT.size or length > len(data) - begin:
        return None
    content = data[begin : begin + length]
    return content if zlib.crc32(content, zlib.crc32(_LENGTH.pack(length))) == checksum else None


def _next_whole(data: bytes, place: int) -> int | None:
    while (place := data.find(MARKER, place)) >= 0:
        if _content_at(data, place) is not None:
            return place
        place += 1
    return None


def _record(content: bytes) -> SpooledRecord:
    flags, name_length, key_length = _CONTENT.unpack_from(content)
    key_at = _CONTENT.size + name_length
    value_at = key_at + key_length
    return SpooledRecord(
        content[_CONTENT.size : key_at].decode(errors="replace"),
        content[key_at:value_at],
        content[value_at:],
        bool(flags & _LAST),
    )
