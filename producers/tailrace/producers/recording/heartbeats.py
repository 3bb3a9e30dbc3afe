"""Signs of life: a run in progress for long says so, and what it is at, every few seconds.

A heartbeat is a record of its own beside the events, without a place in their sequence: losing one
loses nothing, so none is kept while the broker is away.
"""

from __future__ import annotations

import os
import socket
import time
from functools import cache
from typing import TYPE_CHECKING

from tailrace.schemas import wire
from tailrace.schemas.catalog import latest
from tailrace.schemas.topics import RUNS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tailrace.producers.delivery.outlet import Outlet
    from tailrace.producers.recording.recording import Recording

MAX_OPEN_STEPS = 100
"""How many open steps a heartbeat names."""

_IDENTITY = (
    "trace_id",
    "run_id",
    "root_run_id",
    "parent_run_id",
    "component",
    "deployment",
    "environment",
)


class Heartbeats:
    """Sends what is due. One thread calls it."""

    def __init__(self, interval_s: float) -> None:
        """Begin.

        Args:
            interval_s: how long a run is in progress before its first one, and the time between
                two; 0 for none.
        """
        self._interval_s = interval_s
        self._last: dict[str, float] = {}
        """When each run in progress was last heard of, by the clock of `send`."""

    def send(self, runs: Iterable[Recording], outlet: Outlet, now_s: float) -> None:
        """Send a heartbeat of each run that is due.

        Args:
            runs: those in progress.
            outlet: where they go.
            now_s: `time.perf_counter()`.
        """
        if not self._interval_s:
            return
        last: dict[str, float] = {}
        for run in runs:
            before = self._last.get(run.run_id, run.began_s)
            due = now_s - before >= self._interval_s
            if due and not run.ended:
                outlet.append(RUNS, run.lane.key, heartbeat(run, self._interval_s))
            last[run.run_id] = now_s if due else before
        self._last = last


def heartbeat(run: Recording, interval_s: float) -> bytes:
    """Return the framed record of a run's sign of life.

    Args:
        run: a run in progress.
        interval_s: when the next one is due.
    """
    # A copy at one stroke, outermost first: a step begins after the one around it.
    steps = list(run.open_steps.values())[:MAX_OPEN_STEPS]
    return wire.encode(
        latest("heartbeat"),
        {
            **{name: run.constant[name] for name in _IDENTITY},
            "ts": time.time_ns() // 1000,
            "started_at": run.started_us,
            "interval_ms": round(interval_s * 1000),
            "events": run.seq,
            "open_step_ids": [step.step_id for step in steps],
            "open_step_keys": [step.key for step in steps],
            "process": f"{_host()}:{os.getpid()}",
        },
    )


@cache
def _host() -> str:
    return socket.gethostname()
