"""The lines of a recording: streamed from a plain or gzipped file, each of bounded size."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

from tailrace.console.importing.errors import ImportFailedError, LineRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_LINE_BYTES = 16 * 1024 * 1024
"""A longer line is refused: one conversation is far smaller, and a line lies in memory whole."""

_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Line:
    """One line that is not blank."""

    number: int
    """Counts from 1, blank lines included, as an editor counts."""

    text: bytes | LineRefusedError
    """The line without its end; or why it was passed over."""

    position: int = 0
    """How many bytes of the file, as it lies on disk, had been read by then."""


def read_lines(path: Path, max_bytes: int = MAX_LINE_BYTES) -> Iterator[Line]:
    """Yield the file's lines in order; holds at most one line in memory.

    A gzipped file that breaks off yields what could be read, then a refused line that says so.

    Raises:
        ImportFailedError: if the file cannot be opened.
    """
    try:
        raw = path.open("rb")
    except OSError as error:
        raise ImportFailedError(f"{path} cannot be read: {error.strerror}") from error
    with raw:
        zipped = raw.read(2) == _GZIP_MAGIC
        raw.seek(0)
        stream = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if zipped else raw
        number = 0
        try:
            for number, text in enumerate(_bounded(stream, max_bytes), start=1):
                if isinstance(text, LineRefusedError) or text.strip():
                    yield Line(number, text, raw.tell())
        except (OSError, EOFError, zlib.error) as error:
            broken = f"the file breaks off here and cannot be read on: {error}"
            yield Line(number + 1, LineRefusedError(broken), raw.tell())


def _bounded(stream: BinaryIO, max_bytes: int) -> Iterator[bytes | LineRefusedError]:
    first = True
    while text := stream.readline(max_bytes + 1):
        if len(text) > max_bytes and not text.endswith(b"\n"):
            _skip_line(stream, max_bytes)
            yield LineRefusedError(f"the line is longer than {max_bytes:,} bytes")
        else:
            yield (text.removeprefix(_BOM) if first else text).rstrip(b"\r\n")
        first = False


def _skip_line(stream: BinaryIO, max_bytes: int) -> None:
    while (rest := stream.readline(max_bytes)) and not rest.endswith(b"\n"):
        pass
