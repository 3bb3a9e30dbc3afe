"""Apache Kafka as one KRaft node on loopback: formatted, started, asked whether it serves, stopped.

Delivery: an acknowledged record is in the operating system's memory or on the disk, so it outlives
the broker's own death, also by kill -9; a power failure may lose the last seconds.
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tailrace.console.local.children import Child
from tailrace.console.local.class_archive import ClassArchive, class_archive
from tailrace.console.local.errors import InterruptedStartError, StackError
from tailrace.console.local.jars import Progress, provide_jars
from tailrace.console.local.java import Java, find_java
from tailrace.console.local.kafka_failures import failure_sentence, port_was_taken
from tailrace.console.local.kafka_format import format_folder
from tailrace.console.local.kafka_probe import ask_broker
from tailrace.console.local.kafka_settings import LOCALE, java_options, server_properties
from tailrace.console.local.ports import HOST, free_ports, is_free

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.console.local.processes import ProcessId

_POLL_S = 0.02
_PROBE_S = 1.0
STOP_TIMEOUT_S = 15.0


class KafkaError(StackError):
    """The embedded broker cannot be started."""


@dataclass(frozen=True)
class Runtime:
    """What a broker runs on."""

    java: Java
    class_path: tuple[Path, ...]

    @property
    def options(self) -> tuple[str, ...]:
        """The options of every Java process of ours."""
        return java_options(self.java.major)

    @property
    def archive(self) -> ClassArchive:
        """The class archive of exactly this runtime."""
        return class_archive(self.java, self.class_path, self.options)

    def command(self, *arguments: str) -> list[str]:
        """Return a command line: Java's options of ours, the class path, then `arguments`."""
        # The jars one by one: a class archive is refused where the class path has a wildcard.
        jars = ":".join(str(jar) for jar in self.class_path)
        return [str(self.java.path), *self.options, "-cp", jars, *arguments]


def find_runtime(progress: Progress | None = None) -> Runtime:
    """Return the Java and the jars to use, fetching the jars if this machine has none yet.

    Raises:
        StackError: if either cannot be had.
    """
    java = find_java()
    return Runtime(java, tuple(provide_jars(progress)))


class Kafka:
    """The broker of one folder: a `Member` of the local stack, also usable by itself."""

    name = "kafka"

    def __init__(
        self,
        folder: Path,
        log: Path,
        *,
        port: int | None = None,
        progress: Progress | None = None,
        extra_options: tuple[str, ...] | None = None,
        nice: int = 0,
        stop_timeout_s: float = STOP_TIMEOUT_S,
    ) -> None:
        """Take a folder for the broker's data and a file for its output.

        Without `port` it listens where it did last time if that is still free, else on any free
        port. `extra_options` are Java's, in place of those that read the class archive; `nice`
        lowers its priority. `stop_timeout_s` is how long `stop` waits before it kills.
        """
        self._folder = folder.absolute()
        self.log = log.absolute()
        self._told_port = port
        self._progress = progress
        self._extra_options = extra_options
        self._nice = nice
        self._stop_timeout_s = stop_timeout_s
        self._child: Child | None = None
        self._port: int | None = None
        self._cancelled = threading.Event()

    @property
    def address(self) -> str | None:
        """The bootstrap servers, e.g. `127.0.0.1:9092`."""
        return f"{HOST}:{self._port}" if self._port else None

    @property
    def process(self) -> ProcessId | None:
        """The broker's process."""
        return self._child.identity if self._child else None

    def start(self, timeout_s: float = 60.0) -> None:
        """Start the broker and block until it takes records.

        Fetching jars, where that is needed, does not count against `timeout_s`.

        Raises:
            KafkaError: if it does not serve in time, with the reason its log gives.
        """
        self.stop()
        self._cancelled.clear()
        self._check_port()
        runtime = find_runtime(self._reported)
        deadline = time.monotonic() + timeout_s
        self._folder.mkdir(parents=True, exist_ok=True)
        format_folder(self._folder, runtime)
        archive = runtime.archive if self._extra_options is None else None
        try:
            self._launch(runtime, archive, deadline)
        except _EndedEarlyError as ended:
            # Once more where the cause may be ours: a port that was taken since we looked, or a
            # class archive that does not suit.
            retry = port_was_taken(ended.output) and self._told_port is None
            if archive and archive.exists() and not ended.explained:
                archive.drop()
                retry = True
            if not retry:
                raise
            self._launch(runtime, archive, deadline)

    def ended(self) -> bool:
        """Say whether the broker was started and has ended by itself."""
        return self._child is not None and self._child.exit_code() is not None

    def stop(self) -> str:
        """End the broker by SIGTERM, after 15 s unless told by SIGKILL; interrupts a `start`."""
        self._cancelled.set()
        child, self._child = self._child, None
        return child.stop(self._stop_timeout_s) if child else "gone"

    def request_end(self) -> None:
        """Send SIGTERM and return at once; `stop` still has to be called."""
        if self._child:
            self._child.request_end()

    def _reported(self, done_bytes: int, total_bytes: int) -> None:
        if self._cancelled.is_set():
            raise InterruptedStartError
        if self._progress:
            self._progress(done_bytes, total_bytes)

    def _check_port(self) -> None:
        if self._told_port and not is_free(self._told_port):
            raise KafkaError(
                f"port {self._told_port} is taken: end what listens there, or choose another "
                "with --kafka-port"
            )

    def _launch(self, runtime: Runtime, archive: ClassArchive | None, deadline: float) -> None:
        port, controller_port = self._choose_ports()
        properties = self._folder / "server.properties"
        text = server_properties(self._folder / "data", port, controller_port)
        properties.write_text(text, encoding="utf-8")
        options = archive.reading() if archive else self._extra_options or ()
        java, *rest = runtime.command("kafka.Kafka", str(properties))
        self._port = port
        self._child = child = Child.start(
            [java, *options, *rest], self.log, nice=self._nice, variables=LOCALE
        )
        try:
            self._await(child, port, deadline)
        except BaseException:
            child.stop(self._stop_timeout_s)
            self._child = None
            raise

    def _await(self, child: Child, port: int, deadline: float) -> None:
        while True:
            if self._cancelled.is_set():
                raise InterruptedStartError
            if child.exit_code() is not None:
                raise _EndedEarlyError(child)
            answer = ask_broker(HOST, port, _PROBE_S)
            if answer and answer.brokers and answer.controller_id >= 0:
                return
            if time.monotonic() > deadline:
                raise KafkaError(f"Kafka took no records in time, see {child.log}")
            time.sleep(_POLL_S)

    def _choose_ports(self) -> tuple[int, int]:
        before = _ports_before(self._folder / "server.properties")
        fresh = free_ports(2)
        wanted = (self._told_port, None)
        chosen = [
            told or (last if last and is_free(last) else free)
            for told, last, free in zip(wanted, before, fresh, strict=True)
        ]
        if chosen[1] == chosen[0]:
            chosen[1] = fresh[1]
        return chosen[0], chosen[1]


class _EndedEarlyError(KafkaError):
    def __init__(self, child: Child) -> None:
        self.output = child.output(200)
        sentence = failure_sentence(self.output, child.log)
        super().__init__(sentence)
        self.explained = "did not start:" in sentence


def _ports_before(properties: Path) -> tuple[int | None, int | None]:
    try:
        text = properties.read_text(encoding="utf-8")
    except OSError:
        return None, None
    found = re.search(
        r"^listeners=PLAINTEXT://[^:]+:(\d+),CONTROLLER://[^:]+:(\d+)$", text, re.MULTILINE
    )
    return (int(found[1]), int(found[2])) if found else (None, None)
