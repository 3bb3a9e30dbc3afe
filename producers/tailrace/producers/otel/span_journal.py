"""What processor and exporter share: the client, the lanes, a clock that ticks, the end."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from typing import TYPE_CHECKING
from weakref import WeakSet

from tailrace.producers.client import Tailrace
from tailrace.producers.otel.lanes import Lanes
from tailrace.producers.otel.options import SpanStats
from tailrace.producers.otel.setting import Setting
from tailrace.producers.process.guard import guarded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tailrace.producers.otel.execution import Execution
    from tailrace.producers.otel.options import SpanOptions
    from tailrace.producers.otel.run_state import Outgoing

_log = logging.getLogger("tailrace.producers")

_TICK_S = 0.25
_all: WeakSet[SpanJournal] = WeakSet()


class SpanJournal:
    """Writes what spans became. Without a client of the caller's it opens one, and closes it.

    Raises on opening what `Tailrace.open` raises; never afterwards. In a forked child it begins
    anew, with nothing of its parent's: the client opens a sender of the child's own.

    Args:
        client: an open client, or None for an own one.
        options: see `SpanOptions`.
        on_tick: called about four times a second with the time of `time.monotonic`.
        on_fork: called in a forked child, before anything else is.
    """

    def __init__(
        self,
        client: Tailrace | None,
        options: SpanOptions,
        *,
        on_tick: Callable[[float], None],
        on_fork: Callable[[], None],
    ) -> None:
        self.stats = SpanStats()
        self._owned = client is None
        self._client = Tailrace() if client is None else client
        if client is None:
            self._client.open()
            # A provider ends at exit, and what it still holds comes then: `_close_all` is later.
            atexit.unregister(self._client.close)
        self._options = options
        self._on_tick = on_tick
        self._on_fork = on_fork
        self._closing = threading.Event()
        self._beginning = threading.Lock()
        self._lanes: Lanes | None = None
        self._ticker: threading.Thread | None = None
        _all.add(self)

    @property
    def setting(self) -> Setting:
        """What executions are recorded with, as the client has it in this process."""
        client = self._client
        return Setting(
            client.chain,
            self._options,
            self._options.environment or client.environment,
            client.redaction,
            client.prices,
        )

    @property
    def records(self) -> bool:
        """Whether spans are recorded: from opening to closing.

        In a forked child the first look connects, and blocks until that is done.
        """
        if self._closing.is_set() or not self._client.usable():
            return False
        if self._lanes is None:
            self._begin()
        return True

    def write(self, events: Iterable[Outgoing]) -> None:
        """Queue events; costs microseconds each, blocks only when the outlet's buffer is full."""
        assert self._lanes is not None, "ask whether it records first"
        self._lanes.write(events)

    def conclude(self, execution: Execution) -> None:
        """Count what an execution that gets no more spans came to."""
        stats = self.stats
        stats.ignored_traces += execution.ignored
        stats.incomplete_runs += execution.incomplete
        unfinished = execution.unfinished
        if unfinished:
            stats.abandoned += 1
            assert self._lanes is not None, "what was begun was written"
            self._lanes.forget(unfinished)

    def failed(self, what: str, error: Exception) -> None:
        """Count a defect of the recorder and say the first; the agent goes on."""
        guarded(self._client, what, error)

    def flush(self, timeout_s: float) -> bool:
        """Wait until Kafka has acknowledged all that was written; say whether it has."""
        if self._lanes is None:
            return True
        missing = self._lanes.wait(max(0.0, timeout_s))
        self.stats.unacknowledged += missing
        return missing == 0

    def close(self, timeout_s: float) -> bool:
        """Record no more, wait for what is on its way, close an own client, say what was left."""
        deadline = time.monotonic() + timeout_s
        if self._closing.is_set():
            return True
        self._closing.set()
        done = self.flush(timeout_s)
        if self._ticker is not None:
            self._ticker.join(max(0.0, deadline - time.monotonic()))
        if self._owned:
            self._client.close()
        self._say_losses()
        return done

    def leave_parent(self) -> None:
        """In a forked child: use nothing of the parent's, least of all its locks."""
        closed = self._closing.is_set()
        self._closing = threading.Event()
        if closed:
            self._closing.set()
        self._beginning = threading.Lock()
        self._lanes = self._ticker = None
        self.stats = SpanStats()
        self._on_fork()

    def close_own(self, timeout_s: float) -> None:
        """Close if nobody did, and the client is its own."""
        if self._owned:
            self.close(timeout_s)

    def _begin(self) -> None:
        with self._beginning:
            if self._lanes is None:
                self._ticker = threading.Thread(
                    target=self._tick, name="tailrace-otel", daemon=True
                )
                self._lanes = Lanes(self._client.outlet)
                self._ticker.start()

    def _say_losses(self) -> None:
        stats = self.stats
        left = {
            "spans came after the end of their run": stats.late,
            "spans were left out": stats.dropped,
            "executions have no end": stats.abandoned,
            "runs lack spans, and say so": stats.incomplete_runs,
            "runs are not acknowledged": stats.unacknowledged,
        }
        told = [f"{count} {what}" for what, count in left.items() if count]
        if told:
            _log.warning("tailrace: recording of spans ended: %s", "; ".join(told))

    def _tick(self) -> None:
        while not self._closing.wait(_TICK_S):
            try:
                self._on_tick(time.monotonic())
            except Exception as error:  # noqa: BLE001 - one defect must not stop the clock
                self.failed("spans that wait", error)


def _close_all() -> None:
    """Close what no provider has shut down."""
    for journal in list(_all):
        journal.close_own(10.0)


def _after_in_child() -> None:
    for journal in list(_all):
        journal.leave_parent()


os.register_at_fork(after_in_child=_after_in_child)
# Registered on import, and so run after the providers that are made later.
atexit.register(_close_all)
