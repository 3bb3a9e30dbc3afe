"""The ClickHouse gateway as a process of its own: started, asked for `/ping`, stopped."""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

from tailrace.console.local.children import Child
from tailrace.console.local.errors import InterruptedStartError, StackError
from tailrace.console.local.ports import HOST, free_ports, is_free

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.console.local.processes import ProcessId

_MODULE = "tailrace.console.local.gateway"
_POLL_S = 0.02
_PROBE_S = 2.0
STOP_TIMEOUT_S = 20.0


class ClickHouseError(StackError):
    """The embedded ClickHouse cannot be started."""


class ClickHouse:
    """The gateway of one folder: a `Member` of the local stack, also usable by itself."""

    name = "clickhouse"

    def __init__(self, folder: Path, log: Path, *, port: int | None = None) -> None:
        """Take a folder for the engine's data and a file for the gateway's output.

        Without `port` it listens where it did last time if that is still free, else on any free
        port.
        """
        self._folder = folder.absolute()
        self.log = log.absolute()
        self._told_port = port
        self._child: Child | None = None
        self._port: int | None = None
        self._cancelled = threading.Event()

    @property
    def address(self) -> str | None:
        """The HTTP address, e.g. `http://127.0.0.1:8123`."""
        return f"http://{HOST}:{self._port}" if self._port else None

    @property
    def process(self) -> ProcessId | None:
        """The gateway's process."""
        return self._child.identity if self._child else None

    def start(self, timeout_s: float = 60.0) -> None:
        """Start the gateway and block until it answers.

        Raises:
            ClickHouseError: if it does not in time, with the last words of its log.
        """
        self.stop()
        self._cancelled.clear()
        if self._told_port and not is_free(self._told_port):
            raise ClickHouseError(
                f"port {self._told_port} is taken: end what listens there, or choose another "
                "with --clickhouse-port"
            )
        if find_spec("chdb") is None:
            raise ClickHouseError(
                'the embedded engine is not installed: pip install "tailrace[local]", or let '
                "TAILRACE_CLICKHOUSE name a server of your own"
            )
        self._folder.mkdir(parents=True, exist_ok=True)
        self._port = port = self._choose_port()
        store = self._folder / "store"
        command = [sys.executable, "-m", _MODULE, "--path", str(store), "--host", HOST]
        self._child = child = Child.start([*command, "--port", str(port)], self.log)
        try:
            self._await(child, port, time.monotonic() + timeout_s)
        except BaseException:
            child.stop(STOP_TIMEOUT_S)
            self._child = None
            raise
        (self._folder / "port.json").write_text(json.dumps(port), encoding="utf-8")

    def ended(self) -> bool:
        """Say whether the gateway was started and has ended by itself."""
        return self._child is not None and self._child.exit_code() is not None

    def stop(self) -> str:
        """End the gateway by SIGTERM, after 20 s by SIGKILL; also interrupts a `start`."""
        self._cancelled.set()
        child, self._child = self._child, None
        return child.stop(STOP_TIMEOUT_S) if child else "gone"

    def _await(self, child: Child, port: int, deadline: float) -> None:
        while not answers_ping(port):
            if self._cancelled.is_set():
                raise InterruptedStartError
            if child.exit_code() is not None:
                raise ClickHouseError(_failure(child))
            if time.monotonic() > deadline:
                raise ClickHouseError(f"ClickHouse did not answer in time, see {child.log}")
            time.sleep(_POLL_S)

    def _choose_port(self) -> int:
        if self._told_port:
            return self._told_port
        try:
            last = json.loads((self._folder / "port.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            last = None
        return last if isinstance(last, int) and is_free(last) else free_ports(1)[0]


def answers_ping(port: int) -> bool:
    """Say whether a ClickHouse answers `/ping` on this port of loopback within two seconds."""
    connection = http.client.HTTPConnection(HOST, port, timeout=_PROBE_S)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().read(16) == b"Ok.\n"
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _failure(child: Child) -> str:
    output = child.output(5)
    if "No space left on device" in output:
        return (
            "ClickHouse did not start: the disk is full: free some space, or choose another --data "
            f"(log: {child.log})"
        )
    shown = f"; its last words:\n{output}" if output else ""
    return f"ClickHouse did not start, see {child.log}{shown}"
