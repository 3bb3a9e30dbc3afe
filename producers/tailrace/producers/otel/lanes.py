"""The way of a run's events to the outlet, with an account of what is acknowledged meanwhile.

A run's own lane resolves when its last event is acknowledged; a flush wants to know of a run that
still goes on. So a run has two lanes: events go on the first, which counts what the outlet has
taken from the queue, and bodies on the second. The queue is first in, first out, and bodies are
posted before the event that names them: when all events are taken and neither lane has anything
unacknowledged, all of it is on the log. Before its last event the first lane waits for the bodies.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from tailrace.producers import encode
from tailrace.producers.outlet import Lane
from tailrace.schemas.topics import RUNS, STEPS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future

    from tailrace.producers.otel.run_state import Outgoing
    from tailrace.producers.outlet import Outlet

_POLL_S = 0.005


class EventLane(Lane):
    """A lane that counts how many records the outlet has taken from its queue."""

    __slots__ = ("_unacknowledged", "taken")

    def __init__(self, trace_id: str) -> None:
        self.taken = 0
        super().__init__(trace_id)

    @property
    def unacknowledged(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride] - counts what the base only keeps
        """Records on their way."""
        return self._unacknowledged

    @unacknowledged.setter
    def unacknowledged(self, count: int) -> None:
        before = getattr(self, "_unacknowledged", 0)
        self.taken += max(0, count - before)
        self._unacknowledged = count


class RunLanes:
    """The two lanes of one run."""

    def __init__(self, outlet: Outlet, first: Outgoing) -> None:
        self._outlet = outlet
        self._prefix = encode.run_prefix(first.event.flatten())
        self._events = EventLane(first.event.run.trace_id)
        self._bodies = Lane(first.event.run.trace_id)
        self._posted = 0
        self._hashes: dict[str, None] = {}

    @property
    def done(self) -> Future[int]:
        """Resolved when the last event is acknowledged, with how many records were lost."""
        return self._events.done

    @property
    def settled(self) -> bool:
        """Whether all that was posted so far is acknowledged."""
        return (
            self._events.taken >= self._posted
            and self._events.unacknowledged == 0
            and self._bodies.unacknowledged == 0
        )

    @property
    def lost(self) -> int:
        """Records given up for good."""
        return self._events.lost + self._bodies.lost

    def post(self, outgoing: Outgoing) -> bool:
        """Queue an event and its bodies; say whether it was the run's last."""
        event = outgoing.event
        for payload in outgoing.payloads:
            for body in payload.bodies:
                self._outlet.post_body(self._bodies, body)
            for sha256 in payload.reused:
                self._outlet.await_body(self._bodies, sha256)
            self._hashes.update(dict.fromkeys(payload.hashes))
        value = encode.splice(self._prefix, event.seq, encode.own_part(event.flatten()))
        if getattr(event, "last_seq", None) is None:
            self._posted += 1
            self._outlet.post(
                self._events, STEPS if event.kind.startswith("step_") else RUNS, value
            )
            return False
        for sha256 in self._hashes:
            self._outlet.await_body(self._events, sha256)
        self._outlet.finish(self._events, RUNS, value)
        return True


class Lanes:
    """The lanes of every run that is being written. Thread-safe."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._lock = threading.Lock()
        self._open: dict[str, RunLanes] = {}
        self._finished: deque[RunLanes] = deque()
        self._lost = 0

    def write(self, events: Iterable[Outgoing]) -> None:
        """Queue events. Costs microseconds each; blocks only when the outlet's buffer is full."""
        with self._lock:
            for outgoing in events:
                run_id = outgoing.event.run.run_id
                lanes = self._open.get(run_id)
                if lanes is None:
                    lanes = self._open[run_id] = RunLanes(self._outlet, outgoing)
                if lanes.post(outgoing):
                    self._finished.append(self._open.pop(run_id))
            self._forget_done()

    def forget(self, run_ids: Iterable[str]) -> None:
        """Expect nothing more of runs that get no last event."""
        with self._lock:
            for run_id in run_ids:
                self._open.pop(run_id, None)

    def wait(self, timeout_s: float) -> int:
        """Wait until all that was written is acknowledged; return how many runs are not.

        Runs that lost a record count as well, once.
        """
        deadline = time.monotonic() + timeout_s
        pause = threading.Event()
        while True:
            with self._lock:
                self._forget_done()
                waiting = sum(1 for lanes in self._finished if not lanes.done.done())
                waiting += sum(1 for lanes in self._open.values() if not lanes.settled)
                if not waiting or time.monotonic() >= deadline:
                    lost, self._lost = self._lost, 0
                    return waiting + lost
            pause.wait(_POLL_S)

    def _forget_done(self) -> None:
        # From the oldest on: what is behind one that is not done yet is looked at later.
        while self._finished and self._finished[0].done.done():
            self._lost += self._finished.popleft().lost > 0
