"""`tailrace sink`: archive the log into ClickHouse until told to stop."""

import asyncio
import os
import signal
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Self

import typer
from rich.console import Console
from rich.live import Live

from tailrace.console.report.amounts import plural
from tailrace.console.report.printable import one_line
from tailrace.console.report.sink_status import log_line, status_line
from tailrace.console.sink_view.server import LOOPBACK, serving
from tailrace.schemas.errors import TailraceError
from tailrace.sinks.archive.health import STUCK_AFTER_S, Health
from tailrace.sinks.clickhouse import connect
from tailrace.sinks.migrations import migrate
from tailrace.sinks.sink import SinkOptions, SinkStats, run_sink

STOP_WITHIN_S = 9.0
_LOOK_S = 0.5
_LOG_S = 10.0
_NEW_RATE_SHARE = 0.3
"""How much a look changes the shown rate: rows come in blocks, and the eye wants a mean."""


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
) -> None:
    """Store the log in ClickHouse, each record once, until Ctrl-C or SIGTERM.

    Brings the tables up to date first. Any number of these may run at once:
    they share the partitions. What is not stored when it stops is stored by
    the next one.
    """
    if no_migrate:
        _require_migrated()
    stats = SinkStats(health=Health(stuck_after))
    with ExitStack() as stack:
        if metrics_port is not None:
            address = stack.enter_context(serving(stats, host=metrics_host, port=metrics_port))
            sys.stderr.write(f"metrics on {address}/metrics, health on {address}/healthz\n")
        asyncio.run(_run(SinkOptions(instance=instance), stats))


def _require_migrated() -> None:
    missing = migrate(connect(), dry_run=True)
    if missing:
        names = ", ".join(migration.name for migration in missing)
        raise NotMigratedYetError(
            f"the database lacks {names}: run `tailrace migrate`, or leave out --no-migrate"
        )


async def _run(options: SinkOptions, stats: SinkStats) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _stop, stop)
    sink = loop.create_task(run_sink(options, stop, stats=stats))
    with _Reporter(stats) as reporter:
        while not sink.done():
            await asyncio.wait({sink}, timeout=_LOOK_S)
            reporter.look()
    await sink
    sys.stderr.write(f"stopped: {plural(stats.rows, 'row')} stored, {_letters(stats)}\n")


def _stop(stop: asyncio.Event) -> None:
    if not stop.is_set():
        # A thread that hangs in a server's answer would keep the process alive beyond any promise.
        guard = threading.Timer(STOP_WITHIN_S, _give_up)
        guard.daemon = True
        guard.start()
    stop.set()


def _give_up() -> None:
    sys.stderr.write(
        f"error: the sink did not come to rest within {STOP_WITHIN_S:.0f} s and was ended; nothing "
        "is lost, the next one goes on from the last commit\n"
    )
    sys.stderr.flush()
    os._exit(1)


class _Reporter:
    """Says how it goes on standard error: a live line on a terminal, else a line now and then."""

    def __init__(self, stats: SinkStats) -> None:
        self._stats = stats
        console = Console(stderr=True, highlight=False)
        self._live = (
            Live(console=console, auto_refresh=False, transient=True)
            if console.is_terminal
            else None
        )
        self._began = self._looked = time.monotonic()
        self._rows = 0
        self._rate = 0.0
        self._logged: SinkStats = replace(stats)
        self._logged_at = self._began
        self._dead_letters = 0

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        else:
            sys.stderr.write("the sink starts; SIGTERM or Ctrl-C stops it\n")
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def look(self) -> None:
        """Measure the rate since the last look, and say how it goes if that is due."""
        now = time.monotonic()
        rate = (self._stats.rows - self._rows) / max(now - self._looked, 1e-3)
        self._rate += (rate - self._rate) * _NEW_RATE_SHARE
        self._rows, self._looked = self._stats.rows, now
        self._tell_dead_letters()
        if self._live is not None:
            line = status_line(self._stats, self._rate, now - self._began)
            self._live.update(line, refresh=True)
        elif now - self._logged_at >= _LOG_S and self._stats != self._logged:
            rate = (self._stats.rows - self._logged.rows) / max(now - self._logged_at, 1e-3)
            sys.stderr.write(log_line(self._stats, rate, datetime.now(UTC)) + "\n")
            self._logged, self._logged_at = replace(self._stats), now

    def _tell_dead_letters(self) -> None:
        if self._stats.dead_letters == self._dead_letters:
            return
        self._dead_letters = self._stats.dead_letters
        said = f"{_letters(self._stats)}, the last one {one_line(self._stats.last_dead_letter)}"
        if self._live is not None:
            self._live.console.print(said, markup=False)
        else:
            sys.stderr.write(f"{said}\n")


def _letters(stats: SinkStats) -> str:
    return plural(stats.dead_letters, "dead letter")
