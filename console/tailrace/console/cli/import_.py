"""`tailrace import`: recorded chat trajectories become runs in the journal."""

import asyncio
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from tailrace.console.importing.errors import ImportFailedError
from tailrace.console.importing.identity import Grouping
from tailrace.console.importing.importer import Importer, Summary
from tailrace.console.importing.lines import Line
from tailrace.console.importing.nowhere import Nowhere
from tailrace.console.importing.plan import Plan
from tailrace.console.importing.times import file_time, told_time
from tailrace.console.importing.trajectory import Format
from tailrace.console.report.amounts import plural

_REFUSALS_SHOWN = 20


File = Annotated[
    Path, typer.Argument(metavar="FILE", help="JSON lines, plain or gzipped.", dir_okay=False)
]
Form = Annotated[
    Format,
    typer.Option("--format", help="openai: under `messages`; tau: under `traj`; auto: either."),
]
Dataset = Annotated[
    str | None,
    typer.Option(help="The recording's name; ids come from it.", show_default="the file's name"),
]
TraceBy = Annotated[
    str | None,
    typer.Option(metavar="FIELD", help="Lines with the same value are one trace, e.g. task_id."),
]
AttemptBy = Annotated[
    str | None, typer.Option(metavar="FIELD", help="Numbers the attempts in a trace, e.g. trial.")
]
DeploymentBy = Annotated[
    str | None,
    typer.Option(
        metavar="FIELD", help="Each value becomes a recorded-only deployment, e.g. trial."
    ),
]
RecordedAt = Annotated[
    datetime | None,
    typer.Option(
        metavar="TIME",
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"],
        help="When it was recorded, UTC, where a line does not say; else the file's time.",
    ),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Stop after this many conversations.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Read and check only; nothing is written or asked.")
]


def command(
    file: File,
    *,
    form: Form = "auto",
    component: Annotated[str, typer.Option(help="What the runs are runs of.")] = "recorded",
    environment: Annotated[str, typer.Option(help="What they are filed under.")] = "recorded",
    dataset: Dataset = None,
    trace_by: TraceBy = None,
    attempt_by: AttemptBy = None,
    deployment_by: DeploymentBy = None,
    recorded_at: RecordedAt = None,
    limit: Limit = None,
    dry_run: DryRun = False,
) -> None:
    """Import recorded chat trajectories: each line becomes a run of model and tool steps.

    A second import of the same recording adds nothing. A line that is no trajectory is named and
    passed over; the others are imported, and the exit code is 1. Token counts and durations that
    the file does not hold stay unknown. FIELD may lie deeper: `metadata.task`.
    """
    if not file.is_file():
        raise ImportFailedError(f"there is no file {file}")
    grouping = Grouping(dataset or _stem(file), component, trace_by, attempt_by, deployment_by)
    time = file_time(file) if recorded_at is None else told_time(recorded_at)
    plan = Plan(file.name, grouping, environment, time)
    with _progress(file) as on_line:
        summary = asyncio.run(
            _import(plan, file, form=form, limit=limit, dry_run=dry_run, on_line=on_line)
        )
    _tell(file, summary, dry_run=dry_run)
    if summary.refusals:
        raise typer.Exit(1)


async def _import(
    plan: Plan,
    file: Path,
    *,
    form: Format,
    limit: int | None,
    dry_run: bool,
    on_line: Callable[[Line], None] | None,
) -> Summary:
    if dry_run:
        return await Importer(plan, Nowhere(), form=form, limit=limit, on_line=on_line).run(file)
    from tailrace.console.importing.log import open_log  # noqa: PLC0415 - a dry run needs no client

    async with open_log() as destination:
        importer = Importer(plan, destination, form=form, limit=limit, on_line=on_line)
        return await importer.run(file)


def _stem(file: Path) -> str:
    return file.name.removesuffix(".gz").rpartition(".")[0] or file.name


def _progress(file: Path) -> AbstractContextManager[Callable[[Line], None] | None]:
    console = Console(stderr=True)
    if not console.is_terminal:
        return nullcontext()
    return _Bar(console, file)


class _Bar:
    """A progress bar by bytes of the file."""

    def __init__(self, console: Console, file: Path) -> None:
        columns = (
            TextColumn("importing"),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=console, transient=True)
        self._task = self._bar.add_task("importing", total=file.stat().st_size)

    def __enter__(self) -> Callable[[Line], None]:
        self._bar.start()
        return lambda line: self._bar.update(self._task, completed=line.position)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _tell(file: Path, summary: Summary, *, dry_run: bool) -> None:
    for refusal in summary.refusals[:_REFUSALS_SHOWN]:
        sys.stderr.write(f"{file}:{refusal.line}: {refusal.reason}\n")
    more = len(summary.refusals) - _REFUSALS_SHOWN
    if more > 0:
        sys.stderr.write(f"… and {more:,} more lines\n")
    would = "dry run, nothing written: " if dry_run else ""
    sys.stdout.write(
        f"{would}{plural(summary.runs, 'run')}, {plural(summary.messages, 'message')} → "
        f"{plural(summary.events, 'event')}, {plural(summary.bodies, 'body')}\n"
        f"{plural(summary.known, 'run')} already there, "
        f"{plural(len(summary.refusals), 'line')} refused\n"
    )
