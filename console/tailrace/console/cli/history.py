"""`tailrace history`: who moved which pointer, when and why."""

from __future__ import annotations

import json as json_format
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tailrace.console.cli.pointing import JsonOption, at_desk
from tailrace.console.report.pointers import history_lines, history_record
from tailrace.console.report.printing import print_lines

if TYPE_CHECKING:
    from tailrace.producers.routing.control import Applied
    from tailrace.producers.routing.desk import ControlDesk

_HAPPENED = frozenset({"pointer_moved", "pointer_frozen", "pointer_unfrozen"})


def command(
    component: Annotated[
        str | None, typer.Argument(metavar="COMPONENT", help="Only this one's.")
    ] = None,
    *,
    env: Annotated[
        str | None, typer.Option("--env", metavar="NAME", help="Only this environment's.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 50,
    json: JsonOption = False,
) -> None:
    """Show what happened to pointers, the newest first: who, when, why, to what.

    Moves that do not count are shown, too, with what was made of them: stale
    ones, which were decided on another revision, and those of frozen pointers.
    """
    happened: list[Applied] = []

    def note(applied: Applied) -> None:
        record = applied.record
        if (
            applied.name in _HAPPENED
            and component in {None, record["component"]}
            and env in {None, record["environment"]}
        ):
            happened.append(applied)

    async def read(_: ControlDesk) -> None:
        shown = happened[-limit:]
        if json:
            records = map(history_record, reversed(shown))
            sys.stdout.writelines(json_format.dumps(each) + "\n" for each in records)
        elif shown:
            print_lines(lambda room: history_lines(shown, datetime.now(UTC), room))
        else:
            sys.stderr.write("nothing happened to such a pointer yet\n")

    at_desk(read, note)
