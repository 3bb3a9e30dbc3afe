"""`tailrace up`: start the local stack, in the foreground or behind the terminal."""

import time
from typing import Annotated

import typer
from rich.console import Console

from tailrace.console.cli.options import DataOption
from tailrace.console.local.detach import start_detached
from tailrace.console.local.errors import StackError
from tailrace.console.local.folder import DataFolder, find_folder
from tailrace.console.local.launch import StackOptions
from tailrace.console.local.record import StackRecord, read_record
from tailrace.console.local.stack import AlreadyRunningError
from tailrace.console.local.supervisor import run_until_signal
from tailrace.console.local.view import StackView

_OTHERS_START_S = 90.0
_POLL_S = 0.1


def command(
    *,
    data: DataOption = None,
    kafka_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Kafka's port.", show_default="a free one")
    ] = None,
    clickhouse_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="ClickHouse's.", show_default="a free one")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once it serves.")] = False,
) -> None:
    """Start Kafka, ClickHouse, the sink and the streams on this machine.

    Topics and tables are made if they are missing. Everything they keep is in the data folder, so a
    restart goes on where the last one ended, on the same ports if they are still free. A server
    named by TAILRACE_KAFKA or TAILRACE_CLICKHOUSE is used instead of one of ours. In the
    foreground, Ctrl-C stops the stack.
    """
    if kafka_port is not None and kafka_port == clickhouse_port:
        raise typer.BadParameter("Kafka and ClickHouse cannot share a port")
    folder = find_folder(data)
    options = StackOptions(folder.path, kafka_port, clickhouse_port)
    if folder.is_running():
        _already(folder, options)
        return
    hint = "stop it with `tailrace down`" if detach else "Ctrl-C stops it"
    try:
        with StackView(folder.path, hint) as view:
            (start_detached if detach else run_until_signal)(options, view.tell)
    except AlreadyRunningError:
        _already(folder, options)


def _already(folder: DataFolder, options: StackOptions) -> None:
    """Say where the running stack is; what was asked for is there, so this is no failure."""
    record = _once_ready(folder)
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"already running since {record.started_at}, data in {folder.path}")
    for name, address in record.addresses.items():
        console.print(f"{name}: {address}")
    wanted = {"kafka": options.kafka_port, "clickhouse": options.clickhouse_port}
    for name, port in wanted.items():
        address = record.addresses.get(name, "")
        if port and not address.endswith(f":{port}"):
            raise StackError(
                f"{name} already runs on {address or 'another server'}, not on port {port}: stop "
                "the stack with `tailrace down` first"
            )


def _once_ready(folder: DataFolder) -> StackRecord:
    deadline = time.monotonic() + _OTHERS_START_S
    while folder.is_running():
        record = read_record(folder.record)
        if record and record.state == "running":
            return record
        if time.monotonic() > deadline:
            raise StackError(
                f"another `tailrace up` on {folder.path} is not ready yet: see {folder.logs}"
            )
        time.sleep(_POLL_S)
    raise StackError(f"the stack on {folder.path} has just ended: run this again")
