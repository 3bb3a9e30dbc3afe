"""`Tailrace`, the client: while it is open, decorated functions of this process are recorded."""

from __future__ import annotations

import asyncio
import atexit
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Self

from tailrace.producers.delivery.connection import Connection, Spooling
from tailrace.producers.delivery.outlet import JournalFullError
from tailrace.producers.delivery.spool import MAX_BYTES
from tailrace.producers.process.guard import guarded, withheld
from tailrace.producers.process.open_clients import OPEN
from tailrace.producers.process.recent import RecentRuns
from tailrace.producers.process.shutdown import say_what_is_left, watch_sigterm
from tailrace.producers.recording.heartbeats import Heartbeats
from tailrace.producers.redaction import Redaction
from tailrace.producers.routing.control import DEV
from tailrace.producers.routing.dev_routes import DevRoutes
from tailrace.producers.routing.pointer_routes import PointerRoutes, Routing
from tailrace.producers.routing.route_cache import RouteCache
from tailrace.producers.stats import Stats
from tailrace.producers.tree import threads
from tailrace.producers.writer import JournalWriter
from tailrace.schemas.payloads import ListChain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from tailrace.producers.delivery.outlet import Outlet
    from tailrace.producers.delivery.room import WhenFull
    from tailrace.producers.delivery.sender import KafkaSender
    from tailrace.producers.prices import Prices
    from tailrace.producers.recording.durability import Durability
    from tailrace.producers.recording.recording import Recording
    from tailrace.producers.redaction import Rule
    from tailrace.producers.routing.route import Routes

_PARENTS: list[object] = []
"""In a forked child: what is its parent's and must not be touched, not even by being collected."""

_REOPEN_AFTER_S = 30.0
_ROUTE_WAIT_S = 5.0


class Tailrace:
    """Records runs of this process from `open` to `close`; a context manager of either sort.

    Opened within another open client it takes over, and hands back when it is closed.

    Args:
        kafka: bootstrap servers; see `tailrace.schemas.endpoints.kafka_options` when None.
        environment: whose pointers route new runs; in `dev` the loaded code registers itself.
        prefix: the topics' prefix; `TAILRACE_PREFIX` when None.
        durability: what a call waits for before it returns; see `Durability`.
        require_kafka: whether `open` fails where no broker answers; else records are kept, and
            the client connects as soon as one does.
        when_full: what to do when memory and spool are full; see `WhenFull`.
        spool: the folder in which records wait that Kafka does not take; `TAILRACE_SPOOL`,
            else a folder of the user's, when None.
        spool_bytes: how large the spools of this cluster and prefix may grow on this host; 0
            for no spool.
        spool_after_s: how long nothing may be acknowledged before the spool is used.
        max_buffer_bytes: how much may be in memory, neither acknowledged nor in the spool.
        handle_sigterm: whether SIGTERM sends what is left before it takes its usual course.
        step_started_after_s: a step that runs longer is announced by an event of its own, so
            that a hung or killed one is seen; 0 announces every step.
        heartbeat_s: how long a run is in progress before it gives a sign of life that names its
            open steps, and how often it does from then on; 0 for none.
        open_timeout_s: how long opening may take; after that it goes on in the background.
        ack_timeout_s: how long a run's caller waits for its acknowledgement.
        open_steps_wait_s: how long a run waits for steps still open when its component returns.
        close_timeout_s: how long closing may take to send what is left.
        redact: what is taken out of values, errors and stacks before anything leaves the
            process; see `tailrace.producers.redaction`, whose `READY` holds ready rules.
        prices: what model calls cost that do not say so themselves; see
            `tailrace.producers.prices`.
        routing: what to do where the loaded code is not the deployment's, or what is known of the
            pointers is old; see `Routing`.
        outlet: where records go instead of to Kafka; a seam for tests.
    """

    def __init__(
        self,
        kafka: str | None = None,
        environment: str = DEV,
        prefix: str | None = None,
        *,
        durability: Durability = "run",
        require_kafka: bool = False,
        when_full: WhenFull = "block",
        spool: str | None = None,
        spool_bytes: int = MAX_BYTES,
        spool_after_s: float = 1.0,
        max_buffer_bytes: int = 64 * 1024 * 1024,
        handle_sigterm: bool = True,
        step_started_after_s: float = 1.0,
        heartbeat_s: float = 10.0,
        open_timeout_s: float = 10.0,
        ack_timeout_s: float = 30.0,
        open_steps_wait_s: float = 30.0,
        close_timeout_s: float = 10.0,
        redact: Rule | Sequence[Rule] | None = None,
        prices: Prices | None = None,
        routing: Routing | None = None,
        outlet: Outlet | None = None,
    ) -> None:
        """Make a client that is not open yet; the arguments stand above."""
        self.environment = environment
        self.durability: Durability = durability
        self.when_full: WhenFull = when_full
        self._connection = Connection(
            kafka,
            prefix,
            Spooling(spool, spool_bytes, spool_after_s),
            required=require_kafka,
            when_full=when_full,
            max_buffer_bytes=max_buffer_bytes,
            timeout_s=open_timeout_s,
        )
        self.handle_sigterm = handle_sigterm
        self.step_started_after_s = step_started_after_s
        self._heartbeats = Heartbeats(heartbeat_s)
        self.ack_timeout_s = ack_timeout_s
        self.open_steps_wait_s = open_steps_wait_s
        self.prices = prices
        self.redaction = None if redact is None else Redaction(redact, partial(withheld, self))
        self._close_timeout_s = close_timeout_s
        self._outlet = outlet
        self.sender: KafkaSender | None = None
        self.at_close: list[Callable[[float], None]] = []
        """Called before the sender is closed, with how long each may take."""

        self._routing = routing
        self._routes: Routes | None = None
        self.recent = RecentRuns()
        self._left = False
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Set what is of this process alone, and of its forked child not."""
        self.is_open = False
        self.stats = Stats()
        self.chain = ListChain()
        self.recordings: dict[str, Recording] = {}
        """The runs in progress by run id."""

        self.continuations: list[Recording] = []
        """In a forked child: runs of its parent's as they go on here, until the child ends."""

        self._reopening = threading.Lock()
        self._retry_at = 0.0

    @property
    def outlet(self) -> Outlet:
        """Where records go."""
        assert self._outlet is not None, "open the client before use"
        return self._outlet

    @property
    def routes(self) -> Routes:
        """What runs are routed to."""
        assert self._routes is not None, "open the client before use"
        return self._routes

    def open(self) -> None:
        """Connect, and record from now on. Blocks until connected, `open_timeout_s` at most.

        A client that is open stays so; in a forked child it connects anew, which it would do by
        itself when it is first used.

        Raises:
            KafkaUnreachableError: if Kafka does not answer in that time and is required.
            NoEndpointError: if no address of Kafka is known.
        """
        if self in OPEN:
            self.usable()
            return
        self._connect()
        OPEN.append(self)
        threads.keep_places()
        atexit.register(self.close)
        if self.handle_sigterm and self.sender is not None:
            watch_sigterm(self)

    def _connect(self) -> None:
        if self._outlet is None:
            self._outlet = self.sender = self._connection.open(self._tick)
        self._routes = self._new_routes(self._outlet)
        self.is_open = True

    def _new_routes(self, outlet: Outlet) -> Routes:
        if self.environment == DEV:
            return DevRoutes(outlet)
        folder = None if self.sender is None else self._connection.host_folder()
        cache = None if folder is None else RouteCache(folder, self.environment)
        return PointerRoutes(outlet, self.environment, self._routing, cache)

    @property
    def route_wait_s(self) -> float:
        """How long a run's begin may wait for its route: not at all while Kafka is away."""
        away = self.sender is not None and self.sender.away
        return 0.0 if away else min(self.ack_timeout_s, _ROUTE_WAIT_S)

    def require_room(self) -> None:
        """Refuse new work where that is asked for and nothing more can be kept.

        Raises:
            JournalFullError: with `when_full="raise"`, when memory and spool are full.
        """
        if self.sender is not None and self.sender.full:
            raise JournalFullError(
                "the journal is full: Kafka takes nothing, and neither memory nor the spool has "
                "room; this run or step was not begun"
            )

    def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until all that was recorded is acknowledged or in the spool; say whether it is.

        Blocks for at most that long, by default `close_timeout_s`.
        """
        limit_s = self._close_timeout_s if timeout_s is None else timeout_s
        if self.sender is None:
            return True
        stored = self.sender.flush(limit_s)
        self.sender.count_into(self.stats)
        return stored

    def usable(self) -> bool:
        """Say whether calls are recorded. In a forked child the first call opens the client anew.

        Blocks until connected, then; never raises.
        """
        if not self._left:
            return self.is_open
        with self._reopening:
            if self._left and time.monotonic() >= self._retry_at:
                self._open_in_child()
            return self.is_open

    def _open_in_child(self) -> None:
        try:
            self._connect()
        except Exception as error:  # noqa: BLE001 - recording never breaks the agent
            self._retry_at = time.monotonic() + _REOPEN_AFTER_S
            guarded(self, "this forked process", error)
            return
        self._left = False
        # A child of multiprocessing leaves by its own finalizers alone, without those of atexit.
        finalizers = sys.modules.get("multiprocessing.util")
        if finalizers is not None:
            finalizers.Finalize(None, self.close, exitpriority=10)

    def leave_parent(self) -> None:
        """In a forked child: use nothing of the parent's any more, least of all its locks."""
        self._begin_anew()
        if self.sender is not None:
            # Kept, so that nothing closes the parent's loop and connections from here.
            _PARENTS.append(self.sender)
            self.sender = self._outlet = None
            self.at_close = []
            self._left = True

    def close(self) -> None:
        """Record no more, send what is left within `close_timeout_s`, and say what could not be."""
        if self in OPEN:
            OPEN.remove(self)
            if not OPEN:
                threads.leave_places()
        atexit.unregister(self.close)
        self._left = False
        if not self.is_open:
            return
        for recording in self.continuations:
            recording.end_unless_held()
        self.is_open = False
        if self.sender is None:
            return
        while self.at_close:
            self.at_close.pop()(self._close_timeout_s)
        self.stats.unsent = self.sender.close(self._close_timeout_s)
        self.sender.count_into(self.stats)
        say_what_is_left(self.stats, self._close_timeout_s)

    def writer(self) -> JournalWriter:
        """Return the door for runs that happened elsewhere."""
        return JournalWriter(self.outlet, timeout_s=self.ack_timeout_s)

    def _tick(self) -> None:
        if self._routes is not None:
            self._routes.tick()
        # On the sender's thread, which must not wait for room that only it can make.
        if self.sender is None or self.sender.full:
            return
        self.announce_open_steps()
        if not self.sender.away:
            self.give_signs_of_life()

    def give_signs_of_life(self) -> None:
        """Send the heartbeats that are due; the sender's thread calls it."""
        if self._outlet is not None:
            runs = list(self.recordings.values())
            self._heartbeats.send(runs, self._outlet, time.perf_counter())

    def announce_open_steps(self) -> None:
        """Announce the steps that have been running for long; the sender's thread calls it."""
        now_ns = time.perf_counter_ns()
        # A copy at one stroke: other threads begin and end runs and steps meanwhile.
        for recording in list(self.recordings.values()):
            for step in list(recording.open_steps.values()):
                step.announce(now_ns, self.step_started_after_s)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.open)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.close)
