"""`tailrace stream`: fold runs into closed executions and health until told to stop."""

import asyncio
import logging
import sys
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tailrace.console.cli.sink_log import log_as_json
from tailrace.console.cli.stopping import stop_on_signals
from tailrace.console.report.stream_status import log_fields, log_line
from tailrace.console.sink_view.server import LOOPBACK, serving
from tailrace.streams.app import StreamOptions, StreamStats, run_stream
from tailrace.streams.execution import Limits
from tailrace.streams.liveness import STUCK_AFTER_S, Liveness

STOP_WITHIN_S = 12.0
_LOOK_S = 0.5
_LOG_S = 10.0
_LIMITS = Limits()
_log = logging.getLogger("tailrace.stream")


class StoreKind(StrEnum):
    """Where state lies beside its changelog."""

    MEMORY = "memory"
    ROCKSDB = "rocksdb"


class LogFormat(StrEnum):
    """How the worker speaks on standard error."""

    TEXT = "text"
    JSON = "json"


AbandonOption = Annotated[
    float,
    typer.Option(min=1, metavar="SECONDS", help="Without a sign of life so long, it is abandoned."),
]
ClaimOption = Annotated[
    float,
    typer.Option(
        min=1, metavar="SECONDS", help="So long others may take up what an ended run offered."
    ),
]
StoreOption = Annotated[
    StoreKind,
    typer.Option(help="Where state lies beside its changelog; rocksdb needs that extra."),
]
FolderOption = Annotated[
    Path, typer.Option(help="This worker's own folder for what it keeps on disk.")
]
InstanceOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="A name for this process, the same after a restart: it gets its partitions back at "
        "once. No two that run at the same time may share one.",
    ),
]
MetricsPortOption = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65535,
        metavar="PORT",
        help="Serve /metrics for Prometheus and /healthz on this port; 0 takes a free one. Not "
        "served unless told.",
    ),
]
MetricsHostOption = Annotated[
    str, typer.Option(metavar="ADDRESS", help="Address to serve them on.")
]
StuckOption = Annotated[
    float,
    typer.Option(
        min=1,
        metavar="SECONDS",
        help="How long nothing may move before /healthz says 503 and why.",
    ),
]
LogFormatOption = Annotated[
    LogFormat,
    typer.Option(help="How it speaks on standard error: for people, or a JSON object a line."),
]


def command(
    *,
    abandon_after: AbandonOption = _LIMITS.abandon_ms / 1_000,
    claim_within: ClaimOption = _LIMITS.claim_ms / 1_000,
    store: StoreOption = StoreKind.MEMORY,
    folder: FolderOption = Path(".tailrace/streams"),
    instance: InstanceOption = None,
    metrics_port: MetricsPortOption = None,
    metrics_host: MetricsHostOption = LOOPBACK,
    stuck_after: StuckOption = STUCK_AFTER_S,
    log_format: LogFormatOption = LogFormat.TEXT,
) -> None:
    """Tell which executions have ended or were abandoned, until Ctrl-C or SIGTERM.

    Reads the runs topic, writes traces and health. Any number of these may
    run at once: they share the partitions. State lies in the log as well, so
    whoever takes a partition over goes on where the last one was.
    """
    limits = replace(
        _LIMITS, abandon_ms=round(abandon_after * 1_000), claim_ms=round(claim_within * 1_000)
    )
    options = StreamOptions(instance=instance, limits=limits, store=store.value, data=folder)
    stats = StreamStats(health=Liveness(stuck_after))
    is_json = log_format is LogFormat.JSON
    logging.getLogger("faust").setLevel(logging.WARNING)
    logging.getLogger("mode").setLevel(logging.WARNING)
    with ExitStack() as stack:
        if is_json:
            log_as_json()
        if metrics_port is not None:
            address = stack.enter_context(serving(stats, host=metrics_host, port=metrics_port))
            _say(f"metrics on {address}/metrics, health on {address}/healthz", is_json=is_json)
        asyncio.run(_run(options, stats, is_json=is_json))


async def _run(options: StreamOptions, stats: StreamStats, *, is_json: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    stop_on_signals(stop, "the worker", STOP_WITHIN_S, _write)
    _say("the stream worker starts; SIGTERM or Ctrl-C stops it", is_json=is_json)
    work = loop.create_task(run_stream(options, stop, stats=stats))
    told, told_at = replace(stats), loop.time()
    while not work.done():
        await asyncio.wait({work}, timeout=_LOOK_S)
        if stats != told and loop.time() - told_at >= _LOG_S:
            told, told_at = replace(stats), loop.time()
            _tell(stats, is_json=is_json)
    await work
    _say(f"stopped: {stats.traces:,} traces published", is_json=is_json)


def _tell(stats: StreamStats, *, is_json: bool) -> None:
    if is_json:
        _log.info("at work", extra={"fields": log_fields(stats)})
    else:
        _say(log_line(stats, datetime.now(UTC)), is_json=False)


def _say(text: str, *, is_json: bool) -> None:
    if is_json:
        _log.info(text)
    else:
        _write(text)


def _write(text: str) -> None:
    sys.stderr.write(f"{text}\n")
