"""A gateway process of a test's own, and ways to speak to it below any client library."""

from __future__ import annotations

import http.client
import os
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

START_S = 30.0


@dataclass
class Answer:
    """An HTTP answer, read whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class GatewayProcess:
    """One gateway on a folder and a port the system chose."""

    def __init__(
        self,
        path: Path,
        *arguments: str,
        env: dict[str, str] | None = None,
        program: Sequence[str] = ("-m", "tailrace.console.local.gateway"),
    ) -> None:
        command = [sys.executable, *program]
        command += ["--path", str(path), "--port", "0", "--exit-with-parent", *arguments]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})},
        )
        self.port = self._await_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self,
        sql: str | bytes | None = None,
        *,
        method: str = "POST",
        headers: dict[str, str] | None = None,
        path: str = "/",
        **arguments: str,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            body = sql.encode() if isinstance(sql, str) else sql
            target = f"{path}?{urlencode(arguments)}" if arguments else path
            connection.request(method, target, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def value(self, sql: str, **arguments: str) -> str:
        answer = self.ask(sql, headers=None, method="POST", path="/", **arguments)
        assert answer.status == 200, answer.text
        return answer.text.rstrip("\n")

    def raw(self, head: bytes) -> socket.socket:
        """Open a connection, send bytes, and leave the rest to the test."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        connection.sendall(head)
        return connection

    def resident_bytes(self) -> int:
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:  # noqa: PTH123
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def kill(self) -> None:
        self.process.kill()
        self._close()

    def stop(self, timeout_s: float = 30.0) -> int:
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout_s)
        finally:
            self._close()

    def _close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def _await_port(self) -> int:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], START_S)
        line = self.process.stdout.readline().decode() if ready else ""
        if not line.startswith("listening on http://"):
            self.process.kill()
            assert self.process.stderr is not None
            said = self.process.stderr.read().decode()
            self._close()
            raise AssertionError(f"the gateway did not start: {said}")
        return int(line.rsplit(":", 1)[1])


@contextmanager
def running(
    path: Path,
    *arguments: str,
    env: dict[str, str] | None = None,
    program: Sequence[str] = ("-m", "tailrace.console.local.gateway"),
) -> Generator[GatewayProcess]:
    gateway = GatewayProcess(path, *arguments, env=env, program=program)
    try:
        yield gateway
    finally:
        if gateway.process.returncode is None:
            gateway.stop()


def eventually(holds: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Wait for a condition; fails the test if it does not come true in time."""
    deadline = time.monotonic() + timeout_s
    pause = select.poll()
    while not holds():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        pause.poll(20)
