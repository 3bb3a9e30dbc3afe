"""`tailrace dead-letters show`: one record that could not be stored, and its bytes."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from tailrace.console.cli.coordinates import write_bytes
from tailrace.console.cli.dead_letters import LogOption, find
from tailrace.console.cli.traces import Screen
from tailrace.console.report.letters import byte_lines, letter_facts, letter_record
from tailrace.console.report.printable import json_text
from tailrace.sinks.clickhouse import connect
from tailrace.sinks.queries.dead_letters import raw_record


def command(
    letter_id: Annotated[
        str, typer.Argument(metavar="ID", help="Where it lies: topic:partition:offset.")
    ],
    *,
    log: LogOption = None,
    raw: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the value's bytes to a new file as well."),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object, bytes in hex.")
    ] = False,
) -> None:
    """Show where a record lies, why it was given up, and how its bytes begin.

    Nothing in the record can steer the terminal: what is no printable ASCII
    is shown as a dot.
    """
    client = connect()
    letter = find(client, letter_id, log)
    key, value = raw_record(client, letter)
    screen = Screen()
    if json:
        data = {"key": key and key.hex(), "value": None if value is None else value.hex()}
        screen.plain(json_text(letter_record(letter) | data))
    else:
        for name, text in letter_facts(letter):
            screen.line(Text.assemble((f"{name:<9}", "dim"), text))
        _bytes(screen, "key", key, "none")
        _bytes(screen, "value", value, "not kept: it lies in the log at these coordinates")
    if raw is not None:
        write_bytes(raw, value, "the value is not kept in the letter, see `tailrace record`")
        screen.aside(f"wrote {len(value or b''):,} bytes to {raw}")


def _bytes(screen: Screen, name: str, data: bytes | None, otherwise: str) -> None:
    size = otherwise if data is None else f"{len(data):,} bytes"
    screen.line(Text.assemble((f"{name:<9}", "dim"), size))
    for line in byte_lines(data or b""):
        screen.line(Text(line))
