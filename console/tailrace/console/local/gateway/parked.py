"""A result that must be finished before it can be sent: written to disk, then streamed from there.

For formats with a footer or a separator (JSON, Parquet, Arrow, Avro, ORC, ...) the engine itself
writes the document into a file, with flat memory.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tailrace.console.local.gateway.engine import quote_text

if TYPE_CHECKING:
    from collections.abc import Generator

    from tailrace.console.local.gateway.lanes import Lane
    from tailrace.console.local.gateway.reply import Reply
    from tailrace.console.local.gateway.statement import Read

_PIECE_BYTES = 1 << 20


@contextmanager
def parking_place() -> Generator[Path]:
    """Make a folder that is removed afterwards, readable by nobody else."""
    with tempfile.TemporaryDirectory(prefix="tailrace-result-") as folder:
        yield Path(folder) / "result"


def into_file(read: Read, place: Path, output: str) -> bytes:
    """Rewrite a SELECT so that its result goes to a file."""
    start, end = read.clause
    target = f"\nINTO OUTFILE {quote_text(str(place))} COMPRESSION 'none' FORMAT {output}\n"
    return read.sql[:start] + target.encode() + read.sql[end:]


async def send_file(lane: Lane, place: Path, reply: Reply) -> None:
    """Send the file's bytes, a piece at a time."""
    with await lane.run(lambda: place.open("rb")) as file:
        while piece := await lane.run(lambda: file.read(_PIECE_BYTES)):
            await reply.send(piece)
