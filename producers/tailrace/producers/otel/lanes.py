"""The way of runs' events to the outlet, and whether they have arrived."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import wait
from typing import TYPE_CHECKING

from tailrace.producers.content import encode
from tailrace.producers.delivery.outlet import Lane
from tailrace.schemas.topics import RUNS, STEPS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tailrace.producers.delivery.outlet import Outlet
    from tailrace.producers.otel.run_state import Outgoing


class RunLane:
    """The lane of one run, with the bytes that all its events begin with."""

    def __init__(self, outlet: Outlet, first: Outgoing) -> None:
        self._outlet = outlet
        self._prefix = encode.run_prefix(first.event.flatten())
        self.lane = Lane(first.event.run.trace_id)

    def post(self, outgoing: Outgoing) -> bool:
        """Queue an event and its bodies; say whether it was the run's last."""
        outlet, lane, event = self._outlet, self.lane, outgoing.event
        for payload in outgoing.payloads:
            for body in payload.bodies:
                outlet.post_body(lane, body)
            for sha256 in payload.reused:
                outlet.await_body(lane, sha256)
        value = encode.splice(self._prefix, event.seq, encode.own_part(event.flatten()))
        if getattr(event, "last_seq", None) is not None:
            outlet.finish(lane, RUNS, value)
            return True
        outlet.post(lane, STEPS if event.kind.startswith("step_") else RUNS, value)
        return False


class Lanes:
    """The lanes of every run that is being written. Thread-safe."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._lock = threading.Lock()
        self._open: dict[str, RunLane] = {}
        self._finished: deque[Lane] = deque()
        self._lost = 0

    def write(self, events: Iterable[Outgoing]) -> None:
        """Queue events. Costs microseconds each; blocks only when the outlet's buffer is full."""
        with self._lock:
            for outgoing in events:
                run_id = outgoing.event.run.run_id
                run = self._open.get(run_id)
                if run is None:
                    run = self._open[run_id] = RunLane(self._outlet, outgoing)
                if run.post(outgoing):
                    self._finished.append(self._open.pop(run_id).lane)
            self._forget_done()

    def forget(self, run_ids: Iterable[str]) -> None:
        """Expect nothing more of runs that get no last event."""
        with self._lock:
            for run_id in run_ids:
                self._open.pop(run_id, None)

    def wait(self, timeout_s: float) -> int:
        """Wait until all that was written is stored; return for how many runs it is not.

        Stored is what the outlet calls so. Runs that lost a record count as well: at every call
        while they go on, and once when they have ended.
        """
        with self._lock:
            going_on = [self._outlet.stored(run.lane) for run in self._open.values()]
            pending = [*going_on, *(lane.done for lane in self._finished)]
        missing = len(wait(pending, timeout_s).not_done)
        missing += sum(1 for each in going_on if each.done() and each.result() > 0)
        with self._lock:
            self._forget_done()
            lost, self._lost = self._lost, 0
        return missing + lost

    def _forget_done(self) -> None:
        # From the oldest on: what is behind one that is not done yet is looked at later.
        while self._finished and self._finished[0].done.done():
            self._lost += self._finished.popleft().done.result() > 0
