"""`/metrics` and `/healthz` of one sink or stream worker, answered by a thread of their own.

A thread and not the worker's event loop: when that loop hangs, the answer has to say so. It is the
standard library's WSGI server around prometheus_client's application; nothing can be changed by it.
"""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any, Protocol, cast
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import prometheus_client

from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from prometheus_client import CollectorRegistry

LOOPBACK = "127.0.0.1"
REQUEST_TIMEOUT_S = 5.0
"""How long a client may take over one request; it holds a thread for as long."""

_POLL_S = 0.1
_TEXT = (("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store"))


class Measured(Protocol):
    """What `/metrics` shows."""

    @property
    def registry(self) -> CollectorRegistry:
        """What an exporter reads."""
        ...


class Judged(Protocol):
    """What `/healthz` asks."""

    def trouble(self) -> str | None:
        """Return what is not well, in a sentence; None if all is."""
        ...


class Watched(Protocol):
    """The stats of a sink or a stream worker."""

    @property
    def meters(self) -> Measured:
        """Its counts."""
        ...

    @property
    def health(self) -> Judged:
        """Whether it is stuck."""
        ...


class SinkViewError(TailraceError):
    """The view cannot listen where it should."""


@contextmanager
def serving(stats: Watched, *, host: str = LOOPBACK, port: int = 0) -> Generator[str]:
    """Serve a worker's metrics and health while the block runs; gives the address.

    Port 0 takes a free one.

    Raises:
        SinkViewError: if the port is taken or the host is none of this machine's.
    """
    kind = _Server6 if ":" in host else _Server
    try:
        server = make_server(host, port, make_app(stats), kind, _Handler)
    except OSError as error:
        raise SinkViewError(
            f"cannot listen on {host}:{port} for metrics: {error.strerror or error}; give another "
            "--metrics-port, or 0 for a free one"
        ) from error
    thread = threading.Thread(
        target=server.serve_forever, args=(_POLL_S,), name="tailrace-metrics", daemon=True
    )
    thread.start()
    try:
        yield f"http://{f'[{host}]' if ':' in host else host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def make_app(stats: Watched) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    """Return the application: `/metrics`, `/healthz`, and 404 for anything else."""
    # They would be a second series for each counter, which nobody asks for.
    prometheus_client.disable_created_metrics()
    # Its annotations leave the application's own type open.
    show_metrics = cast("Any", prometheus_client).make_wsgi_app(stats.meters.registry)

    def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            start("405 Method Not Allowed", [*_TEXT, ("Allow", "GET, HEAD")])
            return [b"only GET and HEAD\n"]
        match environ.get("PATH_INFO"):
            case "/metrics":
                return show_metrics(environ, start)
            case "/healthz":
                trouble = stats.health.trouble()
                start("200 OK" if trouble is None else "503 Service Unavailable", [*_TEXT])
                return [f"{trouble or 'ok'}\n".encode()]
            case _:
                start("404 Not Found", [*_TEXT])
                return [b"/metrics or /healthz\n"]

    return app


class _Server(ThreadingMixIn, WSGIServer):
    """One thread a request, so that a slow client keeps nobody else waiting."""

    daemon_threads = True
    block_on_close = False

    def server_bind(self) -> None:
        """Bind without a look-up of the host's name, which can take seconds."""
        super(WSGIServer, self).server_bind()
        self.setup_environ()


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    """Bounded in time, and silent: a probe every few seconds is no news."""

    timeout = REQUEST_TIMEOUT_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Drop the line."""
