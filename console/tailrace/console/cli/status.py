"""`tailrace status`: what runs, where, since when, and whether it answers."""

import json as json_format
import sys
from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from tailrace.console.cli.options import DataOption
from tailrace.console.local.folder import find_folder
from tailrace.console.local.health import StackHealth, examine
from tailrace.console.report.amounts import plural


def command(
    *,
    data: DataOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what runs, where, since when.

    Exit code 0 if the stack runs and every server answers, else 1.
    """
    health = examine(find_folder(data))
    if json:
        sys.stdout.write(json_format.dumps(health.document(), indent=2) + "\n")
    else:
        _show(health)
    if not health.is_well:
        raise typer.Exit(1)


def _show(health: StackHealth) -> None:
    console = Console(highlight=False, soft_wrap=True)
    record = health.record
    used = f"{decimal(health.disk_bytes)} used, {decimal(health.free_bytes)} free"
    if record is None:
        console.print(f"nothing runs on {health.folder.path}")
        if health.was_killed:
            console.print("the last stack was killed; `tailrace up` cleans up and starts it again")
        else:
            console.print("start it with `tailrace up`")
        return
    table = Table.grid(padding=(0, 2))
    for name in record.members:
        address = record.addresses.get(name, "")
        serves = health.serving.get(name, True)
        process = record.processes.get(name)
        restarts = record.restarts.get(name, 0)
        table.add_row(
            Text("●", style="green" if serves else "red"),
            name,
            health.versions.get(name, ""),
            address if serves else f"{address or name} does not answer",
            f"pid {process.pid}" if process else "",
            plural(restarts, "restart") if restarts else "",
        )
    for name in record.given:
        table.add_row(Text("○", style="cyan"), name, "", "another server, by the environment")
    console.print(table)
    uptime = timedelta(seconds=int(health.uptime_s))
    pid = record.processes["supervisor"].pid
    console.print(f"{record.state} for {uptime}, tailrace {record.tailrace}, pid {pid}")
    console.print(f"data in {health.folder.path}: {used}")
