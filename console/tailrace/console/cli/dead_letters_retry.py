"""`tailrace dead-letters retry`: send records to their topics again, byte for byte."""

import asyncio
import sys

import typer
from clickhouse_connect.driver.client import Client

from tailrace.console.actor import actor
from tailrace.console.cli.dead_letters import (
    IdsArgument,
    LogOption,
    WhyOption,
    find,
    wait_until_decided,
)
from tailrace.sinks.clickhouse import connect
from tailrace.sinks.dead_letters import RETRIED, Decider, LetterDesk, RetryRefusedError, refusal
from tailrace.sinks.queries.dead_letters import ListedDeadLetter, raw_record


def command(ids: IdsArgument, *, log: LogOption = None, reason: WhyOption = None) -> None:
    """Send records to their topic again, with the same key, and record that.

    For when the cause is gone: a schema was published, a table was changed.
    A record has an identity, so one that is stored already is stored as the
    same fact. Records of `control` are refused, as their order is their
    meaning. One that cannot be stored this time either becomes a dead letter
    with new coordinates. All ids are looked up before any is sent.
    """
    client = connect()
    letters = [find(client, text, log) for text in dict.fromkeys(ids)]
    for letter in letters:
        why_not = refusal(letter)
        if why_not is not None:
            raise RetryRefusedError(why_not)
    asyncio.run(_retry(client, letters, Decider(actor(), reason or "")))
    wait_until_decided(client, letters, RETRIED)


async def _retry(client: Client, letters: list[ListedDeadLetter], decider: Decider) -> None:
    async with LetterDesk() as desk:
        for letter in letters:
            if letter.state:
                typer.echo(f"{letter.id} was {letter.state} before", err=True)
            key, value = await asyncio.to_thread(raw_record, client, letter)
            assert value is not None, "refused before"
            offset = await desk.retry(letter, key, value, decider)
            sent = f"{letter.source_topic}:{letter.source_partition}:{offset}"
            sys.stdout.write(f"{letter.id} sent again as {sent}\n")
            sys.stdout.flush()
