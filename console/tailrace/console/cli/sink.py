"""`tailrace sink`: archive the log into ClickHouse until told to stop."""

import asyncio
import logging
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from typing import Annotated

import typer

from tailrace.console.cli.sink_log import log_as_json
from tailrace.console.cli.sink_reporter import Reporter
from tailrace.console.cli.stopping import stop_on_signals
from tailrace.console.sink_view.server import LOOPBACK, serving
from tailrace.schemas.errors import TailraceError
from tailrace.sinks.archive.health import STUCK_AFTER_S, Health
from tailrace.sinks.clickhouse import connect
from tailrace.sinks.migrations import migrate
from tailrace.sinks.sink import SinkOptions, SinkStats, run_sink

STOP_WITHIN_S = 9.0
_LOOK_S = 0.5


class LogFormat(StrEnum):
    """How the sink speaks on standard error."""

    TEXT = "text"
    JSON = "json"


class NotMigratedYetError(TailraceError):
    """Migrations are missing, and the sink was told not to apply them."""


def command(
    *,
    no_migrate: Annotated[
        bool,
        typer.Option("--no-migrate", help="Refuse to start if tables are missing or old."),
    ] = False,
    instance: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A name for this process, the same after a restart: it gets its partitions back "
            "at once. No two that run at the same time may share one.",
        ),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            metavar="PORT",
            help="Serve /metrics for Prometheus and /healthz on this port; 0 takes a free one. "
            "Not served unless told.",
        ),
    ] = None,
    metrics_host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address to serve them on.")
    ] = LOOPBACK,
    stuck_after: Annotated[
        float,
        typer.Option(
            min=1,
            metavar="SECONDS",
            help="How long nothing may move while records wait, or a server not answer, before "
            "/healthz says 503 and why.",
        ),
    ] = STUCK_AFTER_S,
    log_format: Annotated[
        LogFormat,
        typer.Option(help="How it speaks on standard error: for people, or a JSON object a line."),
    ] = LogFormat.TEXT,
) -> None:
    """Store the log in ClickHouse, each record once, until Ctrl-C or SIGTERM.

    Brings the tables up to date first. Any number of these may run at once:
    they share the partitions. What is not stored when it stops is stored by
    the next one.
    """
    stats = SinkStats(health=Health(stuck_after))
    reporter = Reporter(stats, json=log_format is LogFormat.JSON)
    with ExitStack() as stack:
        if log_format is LogFormat.JSON:
            stack.enter_context(_all_in_json())
        if no_migrate:
            _require_migrated()
        if metrics_port is not None:
            address = stack.enter_context(serving(stats, host=metrics_host, port=metrics_port))
            reporter.say(f"metrics on {address}/metrics, health on {address}/healthz")
        asyncio.run(_run(SinkOptions(instance=instance), stats, reporter))


@contextmanager
def _all_in_json() -> Generator[None]:
    """Have the reason for which the sink ends stand in the log like anything else."""
    log_as_json()
    try:
        yield
    except TailraceError as error:
        logging.getLogger("tailrace.sink").error("%s", error)  # noqa: TRY400 - a sentence, no defect
        raise typer.Exit(1) from error


def _require_migrated() -> None:
    missing = migrate(connect(), dry_run=True)
    if missing:
        names = ", ".join(migration.name for migration in missing)
        raise NotMigratedYetError(
            f"the database lacks {names}: run `tailrace migrate`, or leave out --no-migrate"
        )


async def _run(options: SinkOptions, stats: SinkStats, reporter: Reporter) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    stop_on_signals(stop, "the sink", STOP_WITHIN_S, lambda text: reporter.say(text, logging.ERROR))
    sink = loop.create_task(run_sink(options, stop, stats=stats))
    with reporter:
        while not sink.done():
            await asyncio.wait({sink}, timeout=_LOOK_S)
            reporter.look()
    await sink
    reporter.stopped()
