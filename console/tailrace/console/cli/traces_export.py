"""`tailrace traces export`: the events of traces as JSON lines or as Parquet."""

import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

import typer
from clickhouse_connect.driver.client import Client
from rich.console import Console
from rich.filesize import decimal
from rich.progress import DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from tailrace.console.cli.traces import (
    ComponentOption,
    EnvironmentOption,
    OutcomeOption,
    SessionOption,
    SinceOption,
    StatusOption,
    TagOption,
    TextOption,
)
from tailrace.console.report.printable import json_safe
from tailrace.schemas.errors import TailraceError
from tailrace.sinks.clickhouse import connect
from tailrace.sinks.queries.export import export_jsonl, export_parquet
from tailrace.sinks.queries.export_matching import export_matching_parquet, matching_trace_ids
from tailrace.sinks.queries.list_traces import TraceFilter

_STDOUT = Path("-")


class ExportFailedError(TailraceError):
    """The file could not be written."""


def command(
    *,
    component: ComponentOption = None,
    status: StatusOption = None,
    outcome: OutcomeOption = None,
    since: SinceOption = None,
    session: SessionOption = None,
    tag: TagOption = None,
    environment: EnvironmentOption = None,
    text: TextOption = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", "-n", min=1, help="Of the newest N executions.", show_default="all"
        ),
    ] = None,
    form: Annotated[
        Literal["jsonl", "parquet"],
        typer.Option("--format", help="jsonl: payloads resolved; parquet: as they are stored."),
    ] = "jsonl",
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where to; - is standard output.")
    ] = _STDOUT,
) -> None:
    """Write the events of every trace that has such an execution, one event a row.

    The file appears whole or not at all. Memory stays flat however much is written.
    """
    to_terminal = output == _STDOUT and sys.stdout.isatty()
    if form == "parquet" and to_terminal:
        raise typer.BadParameter("Parquet is nothing for a terminal: name a file with --output")
    wanted = TraceFilter(
        component=component or "",
        environment=environment or "",
        session=session or "",
        tag=tag or "",
        status=status or "",
        outcome=outcome or "",
        text=text or "",
        since=since,
    )
    chunks = (_jsonl if form == "jsonl" else _parquet)(connect(), wanted, limit)
    if to_terminal:
        chunks = (json_safe(chunk.decode()).encode() for chunk in chunks)
    written = _write_stdout(chunks) if output == _STDOUT else _write_file(chunks, output)
    if not written:
        sys.stderr.write("no execution is like that: there is nothing to write\n")
    if output != _STDOUT:
        sys.stderr.write(f"{decimal(written)} in {output}\n")


def _jsonl(client: Client, wanted: TraceFilter, limit: int | None) -> Iterator[bytes]:
    if wanted == TraceFilter() and limit is None:
        return export_jsonl(client)
    return export_jsonl(client, matching_trace_ids(client, wanted, limit))


def _parquet(client: Client, wanted: TraceFilter, limit: int | None) -> Iterator[bytes]:
    if wanted == TraceFilter() and limit is None:
        return export_parquet(client)
    return export_matching_parquet(client, wanted, limit)


def _write_stdout(chunks: Iterator[bytes]) -> int:
    written = 0
    for chunk in chunks:
        written += sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()
    return written


def _write_file(chunks: Iterator[bytes], target: Path) -> int:
    """Write beside the target, then rename; what is begun and not finished is removed."""
    if target.is_dir():
        raise ExportFailedError(f"{target} is a folder: name a file in it")
    part = target.with_name(target.name + ".part")
    try:
        try:
            with part.open("wb") as file, _progress(target.name) as advance:
                written = _copy(chunks, file, advance)
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ExportFailedError(f"{target} cannot be written: {error.strerror or error}") from error
    return written


def _copy(chunks: Iterator[bytes], file: BinaryIO, advance: Callable[[int], None]) -> int:
    written = 0
    for chunk in chunks:
        file.write(chunk)
        written += len(chunk)
        advance(len(chunk))
    return written


@contextmanager
def _progress(name: str) -> Generator[Callable[[int], None]]:
    """Count bytes on standard error, if that is a terminal; gone when the work is done."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), DownloadColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task(f"writing {name}", total=None)
        yield lambda size_bytes: progress.advance(task, size_bytes)
