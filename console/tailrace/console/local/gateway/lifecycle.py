"""The process: open, listen, say so, watch the parent, stop gracefully."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import sys
import threading
from contextlib import suppress

from aiohttp import web

from tailrace.console.local.gateway.app import Gateway
from tailrace.console.local.gateway.engine import Engine
from tailrace.console.local.gateway.options import LOOPBACK, GatewayOptions
from tailrace.schemas.errors import TailraceError

_MAX_URL_BYTES = 1 << 20  # as ClickHouse's http_max_uri_size
_WATCH_S = 0.5
_STOP_S = 7.0
"""How long a stop may take after what runs had its time."""


class ListenError(TailraceError):
    """The gateway may not, or cannot, listen where it was told to."""


async def serve(options: GatewayOptions) -> None:
    """Run until SIGTERM, SIGINT or the parent's end; raises TailraceError if it cannot start."""
    check_host(options)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    gateway = Gateway(Engine(options.path, allow_files=options.allow_files), options)
    runner = web.AppRunner(
        gateway.application(),
        access_log=None,
        handler_cancellation=True,
        auto_decompress=False,
        max_line_size=_MAX_URL_BYTES,
        max_field_size=64 << 10,
        shutdown_timeout=1.0,
        keepalive_timeout=75.0,
    )
    await runner.setup()
    try:
        await _listen(runner, options)
        watches = _watch_parent(options, stopped)
        await stopped.wait()
        for watch in watches:
            watch.cancel()
    finally:
        # What was acknowledged is in the folder already, so an engine that hangs is not waited for:
        # its threads are written to the log, and the process ends.
        faulthandler.dump_traceback_later(options.drain_s + _STOP_S, exit=True)
        await gateway.drain(options.drain_s)
        await runner.cleanup()  # ends inserts whose client sends nothing more
        await gateway.settle()
        gateway.close()
        faulthandler.cancel_dump_traceback_later()


def check_host(options: GatewayOptions) -> None:
    """Raise ListenError for an interface that others could reach, unless that was asked for."""
    if options.host not in LOOPBACK and not options.allow_remote:
        raise ListenError(
            f"{options.host} can be reached from other machines: listen on 127.0.0.1, "
            "or add --allow-remote (and set a password)"
        )


async def _listen(runner: web.AppRunner, options: GatewayOptions) -> None:
    try:
        await web.TCPSite(runner, options.host, options.port, backlog=256).start()
    except OSError as raised:
        raise ListenError(
            f"cannot listen on {options.host}:{options.port}: {_reason(raised)}; "
            "choose another with --port, or 0 for a free one"
        ) from raised
    host, port = runner.addresses[0][:2]
    shown = f"[{host}]" if ":" in host else host
    sys.stdout.write(f"listening on http://{shown}:{port}\n")
    sys.stdout.flush()


def _reason(raised: OSError) -> str:
    # asyncio puts a sentence of its own around the system's words.
    return os.strerror(raised.errno).lower() if raised.errno else str(raised)


def _watch_parent(options: GatewayOptions, stopped: asyncio.Event) -> list[asyncio.Task[None]]:
    loop = asyncio.get_running_loop()
    if options.exit_with_parent:
        # A thread, because standard input may be a file or a terminal, which asyncio cannot watch.
        def wait_for_end() -> None:
            with suppress(OSError):
                while os.read(0, 4096):
                    pass
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(stopped.set)

        threading.Thread(target=wait_for_end, daemon=True, name="parent-watch").start()
    if options.parent_pid is None:
        return []
    return [loop.create_task(_watch_pid(options.parent_pid, stopped))]


async def _watch_pid(pid: int, stopped: asyncio.Event) -> None:
    while not stopped.is_set():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            stopped.set()
        except PermissionError:
            pass
        with suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), _WATCH_S)
