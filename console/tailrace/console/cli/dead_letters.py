"""What the `dead-letters` commands share: which letter is meant, who decides, and the wait."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tailrace.console.cli.coordinates import parse_place
from tailrace.console.cli.traces import moment
from tailrace.sinks.queries.dead_letters import find_dead_letter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickhouse_connect.driver.client import Client

    from tailrace.sinks.queries.dead_letters import ListedDeadLetter

SEEN_WITHIN_S = 10.0
"""How long a decision is waited for to be stored, before the command says that it is not yet."""

_POLL_S = 0.2


def _moment_before_now(text: str) -> datetime:
    return moment(text, datetime.now(UTC))


IdsArgument = Annotated[
    list[str], typer.Argument(metavar="ID", help="Where it lies: topic:partition:offset.")
]
SinceOption = Annotated[
    datetime | None,
    typer.Option(
        parser=_moment_before_now,
        metavar="TIME",
        help="Given up at or after: 10m, 2h, 3d ago, or an ISO time.",
    ),
]
LogOption = Annotated[
    str | None, typer.Option("--log", metavar="ID", help="The log's id, if several have it.")
]
WhyOption = Annotated[
    str | None, typer.Option("--reason", help="Why, for whoever looks at it later.")
]


def find(client: Client, text: str, log: str | None) -> ListedDeadLetter:
    """Return the letter that `text` names.

    Raises:
        typer.BadParameter: if it is no id.
        NoSuchLetterError: if there is no such letter.
    """
    return find_dead_letter(client, *parse_place(text, "`tailrace dead-letters ls`"), log or "")


def wait_until_decided(client: Client, letters: Sequence[ListedDeadLetter], state: str) -> None:
    """Return when the tables show the decision; say so if they do not in time.

    It is on the log by then, so nothing is lost either way.
    """
    deadline = time.monotonic() + SEEN_WITHIN_S
    waiting = list(letters)
    while waiting:
        waiting = [each for each in waiting if _state(client, each) != state]
        if waiting and time.monotonic() > deadline:
            sys.stderr.write(
                "the decision is on the log and not in the tables yet: `tailrace sink` stores it\n"
            )
            return
        if waiting:
            time.sleep(_POLL_S)


def _state(client: Client, letter: ListedDeadLetter) -> str:
    return find_dead_letter(
        client,
        letter.source_topic,
        letter.source_partition,
        letter.source_offset,
        letter.source_log_id,
    ).state
