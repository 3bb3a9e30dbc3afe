"""A place in the log as people write it, and its bytes in a file: for commands about one record."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import typer

from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from pathlib import Path

_PLACE = re.compile(r"([A-Za-z0-9._-]{1,249}):(\d{1,9}):(\d{1,18})")


class RawNotWrittenError(TailraceError):
    """The bytes of a record could not be written to a file."""


def parse_place(text: str, shown_by: str) -> tuple[str, int, int]:
    """Return topic, partition and offset of `topic:partition:offset`.

    Raises:
        typer.BadParameter: if it is no such text; tells which command shows them.
    """
    match = _PLACE.fullmatch(text)
    if match is None:
        raise typer.BadParameter(
            f"{text!r} is no place in the log: say topic:partition:offset, as {shown_by} shows it"
        )
    return match[1], int(match[2]), int(match[3])


def write_bytes(file: Path, value: bytes | None, otherwise: str) -> None:
    """Write a record's value to a new file.

    Args:
        file: must not exist.
        value: the bytes.
        otherwise: why there are none, where the value is None.

    Raises:
        RawNotWrittenError: if there is nothing to write, or the file cannot be made.
    """
    if value is None:
        raise RawNotWrittenError(f"there is nothing to write: {otherwise}")
    try:
        with file.open("xb") as out:
            out.write(value)
    except OSError as error:
        raise RawNotWrittenError(f"{file} is not written: {error.strerror}") from error
