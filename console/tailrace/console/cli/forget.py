"""`tailrace forget`: erase traces."""

from __future__ import annotations

import asyncio
import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tailrace.console.actor import actor
from tailrace.console.report.amounts import plural
from tailrace.schemas.errors import TailraceError
from tailrace.sinks.archive.options import SinkOptions
from tailrace.sinks.clickhouse import connect
from tailrace.sinks.erasing import count
from tailrace.sinks.forget import forget, forget_again
from tailrace.sinks.queries.trace_id import whole_trace_id

if TYPE_CHECKING:
    from tailrace.sinks.erasing import Erased
    from tailrace.sinks.forget import Forgot

_WHOLE = re.compile(r"[0-9a-f]{32}")


class NotConfirmedError(TailraceError):
    """Nobody said yes."""


def command(
    traces: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TRACE_ID", help="Whole ids, or the beginnings of ids of stored traces."
        ),
    ] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    reason: Annotated[
        str,
        typer.Option(
            help="Why, such as a request's number; it is kept, so nothing of the content."
        ),
    ] = "",
    again: Annotated[
        bool,
        typer.Option("--again", help="Erase what has come since of all that were ever forgotten."),
    ] = False,
) -> None:
    """Erase traces, and the bodies that no other trace uses, from ClickHouse.

    Records on the log who did so and when, without the content, so that no
    rebuild brings them back. The log itself loses them when the retention of
    its topics ends; says by when. What a running agent sends of the trace
    afterwards is stored again: --again erases that.
    """
    if again:
        number, erased = asyncio.run(forget_again(SinkOptions()))
        sys.stdout.write(f"{plural(number, 'trace')} ever forgotten: {_erased(erased)}\n")
        return
    if not traces:
        raise typer.BadParameter("name the traces to forget, or say --again")
    ids = _ids(traces)
    _confirm(ids, yes=yes)
    done = asyncio.run(forget(SinkOptions(), ids, actor=actor(), reason=reason))
    _tell(ids, done)


def _ids(traces: list[str]) -> list[str]:
    client = connect()
    try:
        return list(
            dict.fromkeys(
                # A whole id may be of a trace that only the log still has.
                text if _WHOLE.fullmatch(text) else whole_trace_id(client, text)
                for text in (given.strip().lower() for given in traces)
            )
        )
    finally:
        client.close()


def _confirm(ids: list[str], *, yes: bool) -> None:
    client = connect()
    found = count(client, ids)
    client.close()
    what = f"{plural(found.events, 'event')} and {plural(found.bodies, 'body')}"
    sys.stderr.write(f"{what} of {plural(len(ids), 'trace')}: {', '.join(ids)}\n")
    if yes:
        return
    if not sys.stdin.isatty():
        raise NotConfirmedError("nothing was erased: say --yes where nobody can be asked")
    if not typer.confirm("Erase them for good?", err=True):
        raise NotConfirmedError("nothing was erased")


def _tell(ids: list[str], done: Forgot) -> None:
    sys.stdout.write(f"forgot {plural(len(ids), 'trace')}: {_erased(done.erased)}\n")
    if done.tombstones:
        sys.stdout.write(f"wrote {plural(done.tombstones, 'tombstone')} to compacted topics\n")
    dates = [date for date in done.gone_by.values() if date is not None]
    if dates:
        sys.stdout.write(f"the log has lost them by {max(dates):%Y-%m-%d %H:%M} UTC\n")
    for name, date in done.gone_by.items():
        if date is None:
            sys.stdout.write(f"the topic {name} keeps records for ever: set its retention\n")


def _erased(erased: Erased) -> str:
    return f"{plural(erased.events, 'event')} and {plural(erased.bodies, 'body')} erased"
