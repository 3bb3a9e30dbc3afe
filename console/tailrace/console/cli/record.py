"""`tailrace record`: one record as the log has it."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from tailrace.console.cli.coordinates import parse_place, write_bytes
from tailrace.console.cli.traces import Screen
from tailrace.console.report.logged_record import logged_record
from tailrace.console.report.printable import json_text
from tailrace.sinks.log_record import read_logged_record


def command(
    place: Annotated[
        str, typer.Argument(metavar="PLACE", help="Where it lies: topic:partition:offset.")
    ],
    *,
    raw: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the value's bytes to a new file as well."),
    ] = None,
) -> None:
    """Print a record of the log as JSON, with every field of its own schema.

    A table has the columns of this version; the log has what the writer
    wrote, fields of newer versions included. `traces show --raw` tells where
    the events of a trace lie.
    """
    topic, partition, offset = parse_place(place, "`tailrace traces show --raw`")
    record = asyncio.run(read_logged_record(topic, partition, offset))
    screen = Screen()
    screen.plain(json_text(logged_record(record), indent=2))
    if raw is not None:
        write_bytes(raw, record.value, "the record is a tombstone")
        screen.aside(f"wrote {len(record.value or b''):,} bytes to {raw}")
