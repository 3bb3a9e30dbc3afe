"""`tailrace dead-letters ls`: what could not be stored, where it lies and why."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from tailrace.console.cli.dead_letters import SinceOption
from tailrace.console.cli.traces import NARROWEST, Screen
from tailrace.console.report.letters import letter_lines, letter_record
from tailrace.console.report.printable import json_text
from tailrace.schemas.topics import topic_prefix
from tailrace.sinks.clickhouse import connect
from tailrace.sinks.queries.dead_letters import LetterFilter, list_dead_letters


def command(
    *,
    topic: Annotated[
        str | None, typer.Option(help="Of this topic; the prefix may be left out.")
    ] = None,
    since: SinceOption = None,
    text: Annotated[
        str | None, typer.Option(help="With this text in the reason, in any case.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Show retried and dropped ones too.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Show the newest N.")] = 25,
    width: Annotated[
        int | None,
        typer.Option(
            min=NARROWEST,
            help="Cells in a line.",
            show_default="the terminal's; in a pipe nothing is cut",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, one letter a line.")] = False,
) -> None:
    """List the records that could not be read or stored, the newest first.

    Each is listed once, by where it lies, however often and by however many
    readers it was given up. Those that were retried or dropped are left out.
    """
    prefix = topic_prefix()
    name = topic if topic is None or topic.startswith(prefix) else prefix + topic
    wanted = LetterFilter(topic=name or "", since=since, text=text or "", every=every)
    letters = list_dead_letters(connect(), limit, wanted)
    screen = Screen(width)
    if json:
        for letter in letters:
            screen.plain(json_text(letter_record(letter)))
    elif letters:
        for line in letter_lines(letters, datetime.now(UTC), screen.room):
            screen.line(line)
    else:
        screen.aside("no dead letter" + ("" if wanted == LetterFilter() else " is like that"))
