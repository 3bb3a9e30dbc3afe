"""Taking the repeated header off every chunk but the first, for formats that begin with one.

The engine writes each chunk as a document: header, rows. For these formats the header's end can be
found from the bytes alone, so the chunks can be joined into one document with flat memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"


def after_lines(count: int) -> Callable[[bytes], int]:
    """Find the end of the first `count` lines of a format that escapes line ends in names."""

    def find(chunk: bytes) -> int:
        end = 0
        for _ in range(count):
            end = chunk.index(b"\n", end) + 1
        return end

    return find


def after_csv_lines(count: int) -> Callable[[bytes], int]:
    """Find the end of the first `count` CSV records; a quoted name may hold a line end."""

    def find(chunk: bytes) -> int:
        end = 0
        for _ in range(count):
            start = end
            while True:
                end = chunk.index(b"\n", end) + 1
                if chunk.count(b'"', start, end) % 2 == 0:
                    break
        return end

    return find


def after_names(chunk: bytes, *, blocks: int) -> int:
    """Find the end of RowBinary's header: a count, then `blocks` texts for each column."""
    count, at = _varint(chunk, 0)
    for _ in range(count * blocks):
        length, at = _varint(chunk, at)
        at += length
    return at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the continuation bit
            return value, at
        shift += 7


def after_arrow_schema(chunk: bytes) -> int:
    """Find the end of an Arrow stream's first message, the schema, which has no body."""
    return 8 + int.from_bytes(chunk[4:8], "little")


_NAMES = after_lines(1)
_NAMES_TYPES = after_lines(2)
HEADERS: dict[str, Callable[[bytes], int]] = {
    "csvwithnames": after_csv_lines(1),
    "csvwithnamesandtypes": after_csv_lines(2),
    **dict.fromkeys(("tabseparatedwithnames", "tsvwithnames"), _NAMES),
    **dict.fromkeys(("tabseparatedwithnamesandtypes", "tsvwithnamesandtypes"), _NAMES_TYPES),
    **dict.fromkeys(("jsoncompacteachrowwithnames", "jsoncompactstringseachrowwithnames"), _NAMES),
    "jsoncompacteachrowwithnamesandtypes": _NAMES_TYPES,
    "jsoncompactstringseachrowwithnamesandtypes": _NAMES_TYPES,
    "rowbinarywithnames": lambda chunk: after_names(chunk, blocks=1),
    "rowbinarywithnamesandtypes": lambda chunk: after_names(chunk, blocks=2),
    "arrowstream": after_arrow_schema,
}
"""Format, in lower case → where its header ends."""


class Joined:
    """Joins the chunks of one result into one document."""

    def __init__(self, output: str) -> None:
        self._find = HEADERS.get(output.lower())
        self._arrow = output.lower() == "arrowstream"
        self._first = True

    def add(self, chunk: bytes) -> bytes:
        """Return what this chunk adds to the document."""
        if self._find is None:
            return chunk
        start = 0 if self._first else self._find(chunk)
        self._first = False
        end = len(chunk)
        if self._arrow and chunk.endswith(_END_OF_STREAM):
            end -= len(_END_OF_STREAM)
        return chunk[start:end]

    def end(self) -> bytes:
        """Return the document's end."""
        return _END_OF_STREAM if self._arrow and not self._first else b""
