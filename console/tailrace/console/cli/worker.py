"""`tailrace worker`: run what is dispatched to a deployment."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from tailrace.console.cli.pointing import at_desk, find_deployment
from tailrace.console.cli.stopping import stop_on_signals
from tailrace.console.stored_records import StoredRecords
from tailrace.producers.deployments.entry_points import imported
from tailrace.producers.dispatch.worker import WorkerOptions, WorkerStats, run_worker
from tailrace.producers.recording.definition import component_of
from tailrace.producers.redaction import READY
from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.producers.routing.desk import ControlDesk

_LOOK_S = 1.0
_REST_S = 5.0
"""How long a worker has, after what runs was waited for, to leave its group."""


class NoComponentsError(TailraceError):
    """What was named holds no components."""


def command(
    components: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:NAME", help="A list of components, one of them, or just the MODULE."
        ),
    ],
    *,
    deployment: Annotated[str, typer.Option(metavar="ID", help="Whose requests to run.")],
    env: Annotated[
        str, typer.Option("--env", metavar="NAME", help="Whose pointers route further components.")
    ] = "prod",
    concurrency: Annotated[int, typer.Option(min=1, max=1000, help="How many at once.")] = 8,
    drain: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long a stop waits for what runs.")
    ] = 30.0,
    redact: Annotated[
        bool,
        typer.Option(
            "--redact", help="Record no keys, secret fields, card numbers and e-mail addresses."
        ),
    ] = False,
    session: Annotated[
        float,
        typer.Option(
            min=6, metavar="SECONDS", help="After which silence a worker is taken for dead."
        ),
    ] = 10.0,
) -> None:
    """Run what is dispatched to a deployment, until Ctrl-C or SIGTERM.

    The loaded code must be the deployment's. Any number of workers may run
    at once: they share the requests. A request whose worker died is run
    again as a new execution of the same trace and is served what the dead
    one recorded. A write that had begun and not ended fails it; is done again
    where the component says on_unknown="retry"; and with "ask" the request is
    parked as a dead letter, for a person to retry or drop. Needs `tailrace
    sink` beside it.
    """
    functions = load_components(components)

    async def find(desk: ControlDesk) -> str:
        return find_deployment(desk.control, deployment)

    options = WorkerOptions(
        at_desk(find),
        environment=env,
        concurrency=concurrency,
        redact=READY if redact else None,
        session_s=session,
        drain_s=drain,
    )
    asyncio.run(_run(functions, options))


def load_components(named: str) -> list[Callable[..., Any]]:
    """Return the components that `module:name` names, or a module holds.

    Raises:
        NotImportedError: if the module cannot be imported.
        NoComponentsError: if it holds none there.
    """
    found = imported(named)
    if isinstance(found, ModuleType):
        found = list(vars(found).values())
    several = cast("list[Any]", found if isinstance(found, (list, tuple)) else [found])
    functions = [each for each in several if component_of(each) is not None]
    if not functions:
        raise NoComponentsError(f"{named} holds no function decorated with @component")
    return functions


async def _run(functions: list[Callable[..., Any]], options: WorkerOptions) -> None:
    stop, stats = asyncio.Event(), WorkerStats()
    stop_on_signals(stop, "the worker", options.drain_s + _REST_S, _write)
    _write(f"runs what is dispatched to {options.deployment[:12]}; SIGTERM or Ctrl-C stops it")
    work = asyncio.create_task(
        run_worker(functions, options, stop, records=StoredRecords(), stats=stats)
    )
    told = replace(stats)
    while not work.done():
        await asyncio.wait({work}, timeout=_LOOK_S)
        if stats != told:
            told = replace(stats)
            _write(_line(stats))
    await work
    _write(f"stopped: {_line(stats)}")


def _write(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _line(stats: WorkerStats) -> str:
    parts = [f"{stats.answered:,} answered"]
    for name in ("failed", "taken_up_again", "done_before", "lost", "parked", "rejected"):
        number = getattr(stats, name)
        if number:
            parts.append(f"{number:,} {name.replace('_', ' ')}")
    return ", ".join(parts)
