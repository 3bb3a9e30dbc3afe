"""`tailrace deployments ls`: what was registered."""

from __future__ import annotations

import json as json_format
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tailrace.console.cli.pointing import JsonOption, LimitOption, at_desk
from tailrace.console.report.deployments import deployment_lines, deployment_rows
from tailrace.console.report.printing import print_lines

if TYPE_CHECKING:
    from tailrace.producers.routing.desk import ControlDesk


def command(
    component: Annotated[
        str | None, typer.Argument(metavar="COMPONENT", help="Only those that have it.")
    ] = None,
    *,
    limit: LimitOption = 50,
    json: JsonOption = False,
) -> None:
    """List the deployments, the newest first, and what they take runs of now."""

    async def read(desk: ControlDesk) -> None:
        rows = [
            row
            for row in deployment_rows(desk.control).values()
            if component is None or component in row["components"]
        ]
        shown = rows[::-1][:limit]
        if json:
            records = ({**row, "registered_at": row["registered_at"].isoformat()} for row in shown)
            sys.stdout.writelines(json_format.dumps(each) + "\n" for each in records)
        elif shown:
            print_lines(lambda room: deployment_lines(shown, datetime.now(UTC), room))
        else:
            sys.stderr.write("there is no such deployment: register one with `tailrace deploy`\n")

    at_desk(read)
