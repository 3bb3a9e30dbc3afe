"""The supervisor of one data folder: starts the members, prepares, watches, restarts, stops.

Kafka and ClickHouse start at the same time; once both serve, the steps run in order, then the
dependents start. A member that ends by itself is started again, after 0.5 s and then ever longer;
one that ends for the sixth time within ten minutes stops the whole stack, since a stack that is
half there hides a defect. All of it runs in the thread that called `run`, but for the waiting.
"""

from __future__ import annotations

import errno
import os
import queue
import threading
import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

from tailrace.console.local.errors import InterruptedStartError, StackError
from tailrace.console.local.events import STACK, Event, Tell
from tailrace.console.local.members import Dependent, Endpoints, Member, Step
from tailrace.console.local.processes import ProcessId, identify, stop_process
from tailrace.console.local.record import StackRecord, read_record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.console.local.folder import DataFolder

START_TIMEOUT_S = 60.0
_TICK_S = 0.1
_ORPHAN_TIMEOUT_S = 15.0
_STOP_TIMEOUT_S = 30.0
_RESTARTS = 5
_RESTARTS_WITHIN_S = 600.0


class AlreadyRunningError(StackError):
    """Another supervisor holds the data folder."""


class Stack:
    """One stack on one folder, from its lock to its end. Used once."""

    def __init__(
        self,
        folder: DataFolder,
        members: Sequence[Member],
        *,
        given: Mapping[str, str],
        steps: Sequence[Step] = (),
        dependents: Sequence[Dependent] = (),
        background: Sequence[Callable[[threading.Event], object]] = (),
        tell: Tell,
        backoff_s: float = 0.5,
    ) -> None:
        """Take the servers to start and, in `given`, the addresses of those that run elsewhere.

        `background` holds work without an outcome, done in a thread each once the stack runs; it
        must end soon after its event is set. `backoff_s` is the wait before a first restart; each
        further one doubles it.
        """
        self._folder = folder
        self._members = list(members)
        self._given = given
        self._steps = steps
        self._dependents = dependents
        self._background = background
        self._tell = tell
        self._first_backoff_s = backoff_s
        self._requests: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._ending = threading.Event()
        self._workers: list[threading.Thread] = []
        self._state = "starting"
        self._started_at = datetime.now(UTC).isoformat(timespec="seconds")
        self._deaths: dict[str, list[float]] = {}
        self._restarts: dict[str, int] = {}
        self._written: StackRecord | None = None

    def request_stop(self) -> None:
        """Ask `run` to end; callable from any thread and from a signal handler."""
        self._requests.put("stop")

    def run(self) -> None:
        """Run the stack until `request_stop`; blocks. Nothing of it runs when this returns.

        Raises:
            AlreadyRunningError: if another process runs a stack on this folder.
            StackError: if it cannot start, or a member keeps ending.
        """
        self._folder.make()
        with self._folder.lock() as lock:
            if not lock.try_acquire():
                raise AlreadyRunningError(f"a stack already runs on {self._folder.path}")
            try:
                self._stop_orphans()
                if self._while_working(self._start):
                    self._serve()
            except OSError as error:
                raise StackError(self._disk_sentence(error)) from error
            finally:
                self._stop()

    def _disk_sentence(self, error: OSError) -> str:
        place = error.filename or self._folder.path
        if error.errno == errno.ENOSPC:
            return f"the disk of {place} is full: free some space, or choose another --data"
        return f"{place} cannot be used ({error.strerror}): check it, or choose another --data"

    def _stop_orphans(self) -> None:
        """End what a killed supervisor left behind, known by pid and start time."""
        former = read_record(self._folder.record)
        if former is None:
            return
        for name, process in former.processes.items():
            if name != "supervisor" and identify(process.pid) == process:
                how = stop_process(process, _ORPHAN_TIMEOUT_S)
                self._tell(Event(name, "stopped", f"left over by a killed stack, {how}"))

    def _start(self) -> None:
        self._start_together(self._members)
        addresses = {**self._given, **self._addresses()}
        if not {"kafka", "clickhouse"} <= addresses.keys():
            return
        endpoints = Endpoints(addresses["kafka"], addresses["clickhouse"])
        for step in self._steps:
            self._tell(Event(step.name, "starting"))
            step.run(endpoints)
            self._tell(Event(step.name, "ready"))
        for make in self._dependents:
            member = make(endpoints)
            self._members.append(member)
            self._start_member(member)

    def _start_together(self, members: Sequence[Member]) -> None:
        if not members:
            return
        with ThreadPoolExecutor(len(members)) as pool:
            starts = [pool.submit(self._start_member, member) for member in members]
            wait(starts, return_when=FIRST_EXCEPTION)
            failures = [start.exception() for start in starts if start.done()]
            failure = next(filter(None, failures), None)
            if failure:
                for member in members:
                    member.stop()
                raise failure

    def _start_member(self, member: Member) -> None:
        self._tell(Event(member.name, "starting"))
        try:
            member.start(START_TIMEOUT_S)
        except InterruptedStartError:
            self._tell(Event(member.name, "stopped"))
            raise
        except BaseException:
            self._tell(Event(member.name, "failed"))
            raise
        self._tell(Event(member.name, "ready", member.address or ""))

    def _serve(self) -> None:
        self._state = "running"
        self._write()
        for work in self._background:
            self._in_thread(partial(work, self._ending))
        self._tell(Event(STACK, "ready"))
        while not self._asked(_TICK_S):
            for member in list(self._members):
                if member.ended() and not self._revive(member):
                    return

    def _revive(self, member: Member) -> bool:
        """Start a member again that ended; False if a stop was asked for meanwhile."""
        reason = f"it ended by itself, see {member.log}"
        while True:
            delay_s = self._backoff_s(member, reason)
            self._tell(Event(member.name, "died", f"{reason}; started again in {delay_s:g} s"))
            if self._asked(delay_s):
                return False
            try:
                return self._while_working(lambda: self._start_member(member))
            except StackError as error:
                reason = str(error)
            finally:
                self._write()

    def _backoff_s(self, member: Member, reason: str) -> float:
        now = time.monotonic()
        recent = [at for at in self._deaths.get(member.name, []) if now - at < _RESTARTS_WITHIN_S]
        self._deaths[member.name] = [*recent, now]
        if len(recent) >= _RESTARTS:
            raise StackError(
                f"{member.name} ended {len(recent) + 1} times within "
                f"{_RESTARTS_WITHIN_S / 60:.0f} minutes, so the stack stops: {reason}"
            )
        self._restarts[member.name] = self._restarts.get(member.name, 0) + 1
        return self._first_backoff_s * 2 ** len(recent)

    def _while_working(self, work: Callable[[], None]) -> bool:
        """Do blocking work in a thread; False if a stop was asked for before it was done."""
        outcome: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

        def worker() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - raised again in the calling thread
                outcome.put(error)
            else:
                outcome.put(None)

        thread = self._in_thread(worker)
        while not self._asked(0):
            self._write()
            try:
                error = outcome.get(timeout=_TICK_S)
            except queue.Empty:
                continue
            thread.join()
            if error:
                raise error
            return True
        return False

    def _in_thread(self, work: Callable[[], object]) -> threading.Thread:
        thread = threading.Thread(target=work, daemon=True)
        self._workers.append(thread)
        thread.start()
        return thread

    def _asked(self, timeout_s: float) -> bool:
        """Wait for a request to stop; it stays on the queue for whoever asks next."""
        try:
            request = self._requests.get(block=timeout_s > 0, timeout=timeout_s or None)
        except queue.Empty:
            return False
        self._requests.put(request)
        return True

    def _stop(self) -> None:
        self._state = "stopping"
        self._ending.set()
        with suppress(OSError):  # A full disk keeps nobody from stopping.
            self._write()
        servers = {"kafka", "clickhouse"}
        for member in reversed([one for one in self._members if one.name not in servers]):
            self._stop_member(member)
        ours = [one for one in self._members if one.name in servers]
        with ThreadPoolExecutor(max(1, len(ours))) as pool:
            list(pool.map(self._stop_member, ours))
        for worker in self._workers:
            worker.join(_STOP_TIMEOUT_S)
        for member in self._members:
            member.stop()  # again, for one whose start began while it was being stopped
        self._folder.record.unlink(missing_ok=True)
        self._tell(Event(STACK, "stopped"))

    def _stop_member(self, member: Member) -> None:
        if member.process is None:
            member.stop()
            return
        self._tell(Event(member.name, "stopping"))
        how = member.stop()
        self._tell(Event(member.name, "stopped", "" if how == "stopped" else how))

    def _addresses(self) -> dict[str, str]:
        return {member.name: member.address for member in self._members if member.address}

    def _write(self) -> None:
        """Write the record if it changed: the processes as they come, so that none is forgotten."""
        processes: dict[str, ProcessId] = {}
        for member in self._members:
            process = member.process
            if process:
                processes[member.name] = process
        record = StackRecord(
            state=self._state,
            started_at=self._started_at,
            tailrace=version("tailrace"),
            addresses=self._addresses() if self._state == "running" else {},
            processes={"supervisor": _myself(), **processes},
            logs={member.name: str(member.log) for member in self._members},
            given=tuple(self._given),
            restarts=dict(self._restarts),
        )
        if record != self._written:
            record.write(self._folder.record)
            self._written = record


def _myself() -> ProcessId:
    found = identify(os.getpid())
    assert found is not None
    return found
