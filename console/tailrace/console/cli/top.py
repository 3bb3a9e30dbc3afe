"""`tailrace top`: how every deployment is doing, live."""

import time
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from tailrace.console.cli.traces import ComponentOption, EnvironmentOption, Screen
from tailrace.console.report.health_table import health_record, health_table
from tailrace.console.report.printable import json_text, one_line
from tailrace.schemas.errors import TailraceError
from tailrace.sinks.clickhouse import connect
from tailrace.sinks.queries.health_by_deployment import health_by_deployment

_PIPE = 240
"""Cells in a line where nobody looks: nothing is cut."""


def command(
    *,
    component: ComponentOption = None,
    environment: EnvironmentOption = None,
    minutes: Annotated[
        int, typer.Option("--minutes", "-m", min=1, max=120, help="Look at so many minutes.")
    ] = 15,
    every: Annotated[
        float, typer.Option(min=0.5, metavar="SECONDS", help="Look again after so long.")
    ] = 2.0,
    once: Annotated[
        bool, typer.Option("--once", help="Look once; a pipe is never looked at twice.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a deployment.")] = False,
) -> None:
    """Show how every deployment is doing: runs, errors, durations, tokens, cost.

    Replays are left out. Bad are those that failed, gone those that were
    abandoned; ≠ marks code that is not what the deployment says. Ctrl-C ends
    it. The figures come from `tailrace stream`.
    """
    client = connect()
    told = {"environment": environment or "", "component": component or ""}
    screen = Screen()
    if json:
        for row in health_by_deployment(client, minutes, **told)[1]:
            screen.plain(json_text(health_record(row)))
        return
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _PIPE

    def look() -> Group:
        now, rows = health_by_deployment(client, minutes, **told)
        head = Text(f"{now:%H:%M:%S}Z  last {minutes} minutes", style="dim")
        if not rows:
            return Group(head, Text("nothing closed lately; is `tailrace stream` running?"))
        return Group(head, health_table(rows, now, minutes, console.width))

    if once or not console.is_terminal:
        console.print(look())
        return
    shown = look()
    try:
        with Live(shown, console=console, auto_refresh=False, screen=True) as live:
            while True:
                time.sleep(every)
                try:
                    shown = look()
                    live.update(shown, refresh=True)
                except TailraceError as error:
                    # Who leaves it open finds it open: servers come back.
                    live.update(Group(Text(one_line(str(error)), style="red"), shown), refresh=True)
    except KeyboardInterrupt:
        return
