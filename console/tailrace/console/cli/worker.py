"""`tailrace worker`: run what is dispatched to a deployment."""

from __future__ import annotations

import asyncio
import importlib
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from tailrace.console.cli.pointing import at_desk, find_deployment
from tailrace.console.stored_records import StoredRecords
from tailrace.producers.dispatch.worker import WorkerOptions, WorkerStats, run_worker
from tailrace.producers.recording.definition import component_of
from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.producers.routing.desk import ControlDesk

_LOOK_S = 1.0


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
        session_s=session,
        drain_s=drain,
    )
    asyncio.run(_run(functions, options))


def load_components(named: str) -> list[Callable[..., Any]]:
    """Return the components that `module:name` names, or a module holds.

    Raises:
        NoComponentsError: if the module cannot be imported or holds none.
    """
    module_name, _, path = named.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        module: Any = importlib.import_module(module_name)
        members = cast("dict[str, Any]", vars(module))
        found: Any = members[path] if path else list(members.values())
    except KeyError as error:
        raise NoComponentsError(f"{module_name} has no {path!r}") from error
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise NoComponentsError(
            f"{named} cannot be loaded: {type(error).__name__}: {text}"
        ) from error
    several = cast("list[Any]", found if isinstance(found, (list, tuple)) else [found])
    functions = [each for each in several if component_of(each) is not None]
    if not functions:
        raise NoComponentsError(f"{named} holds no function decorated with @component")
    return functions


async def _run(functions: list[Callable[..., Any]], options: WorkerOptions) -> None:
    stop, stats = asyncio.Event(), WorkerStats()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    sys.stderr.write(
        f"runs what is dispatched to {options.deployment[:12]}; SIGTERM or Ctrl-C stops it\n"
    )
    work = asyncio.create_task(
        run_worker(functions, options, stop, records=StoredRecords(), stats=stats)
    )
    told = replace(stats)
    while not work.done():
        await asyncio.wait({work}, timeout=_LOOK_S)
        if stats != told:
            told = replace(stats)
            sys.stderr.write(f"{_line(stats)}\n")
    await work
    sys.stderr.write(f"stopped: {_line(stats)}\n")


def _line(stats: WorkerStats) -> str:
    parts = [f"{stats.answered:,} answered"]
    for name in ("failed", "taken_up_again", "done_before", "lost", "parked", "rejected"):
        number = getattr(stats, name)
        if number:
            parts.append(f"{number:,} {name.replace('_', ' ')}")
    return ", ".join(parts)
