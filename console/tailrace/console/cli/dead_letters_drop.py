"""`tailrace dead-letters drop`: record that nothing will be done about records."""

import asyncio
import sys
from typing import Annotated

import typer

from tailrace.console.actor import actor
from tailrace.console.cli.dead_letters import (
    IdsArgument,
    LogOption,
    WhyOption,
    find,
    wait_until_decided,
)
from tailrace.console.report.amounts import plural
from tailrace.sinks.clickhouse import connect
from tailrace.sinks.dead_letters import DROPPED, Decider, LetterDesk
from tailrace.sinks.queries.dead_letters import ListedDeadLetter


def command(
    ids: IdsArgument,
    *,
    log: LogOption = None,
    reason: WhyOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Mark dead letters as dropped: `ls` leaves them out from then on.

    Nothing is deleted: the log keeps the record and the letter for as long
    as their topics do, `ls --all` shows it, and it can still be retried.
    """
    client = connect()
    letters = [find(client, text, log) for text in dict.fromkeys(ids)]
    if not yes:
        typer.confirm(f"drop {plural(len(letters), 'dead letter')}?", abort=True, err=True)
    asyncio.run(_drop(letters, Decider(actor(), reason or "")))
    wait_until_decided(client, letters, DROPPED)


async def _drop(letters: list[ListedDeadLetter], decider: Decider) -> None:
    async with LetterDesk() as desk:
        for letter in letters:
            await desk.drop(letter, decider)
            sys.stdout.write(f"{letter.id} dropped\n")
