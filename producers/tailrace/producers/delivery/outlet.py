"""The way out of the process, as the recorder sees it: lanes, and what an outlet promises.

A lane is one run on its way to the log. The promise of every outlet: what is posted on a lane keeps
its order, and the lane's last record leaves only when all its earlier ones, bodies included, are
acknowledged, or lie before it in the spool. `sender` keeps it towards Kafka; `testing` has an
outlet in memory.
"""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Protocol

from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.producers.delivery.ledger import Barrier
    from tailrace.schemas.payloads import Body
    from tailrace.schemas.topics import Topic

SENDER_THREAD = "tailrace-sender"
"""The name of the thread that sends, on which nobody may wait for what it sends."""


class KafkaUnreachableError(TailraceError):
    """The client could not be opened: no broker answered in time, or it lacks a topic."""


class MissingTopicsError(KafkaUnreachableError):
    """The broker answers, but has not all topics that a client writes to."""


class JournalFullError(TailraceError):
    """Memory and spool are full, and `when_full="raise"` asks for work to be refused then."""


class Draft(Protocol):
    """An event that has its place in the order, and whose bytes are made later."""

    def framed(self) -> bytes | None:
        """Return the record; None when it cannot be made, which is counted there.

        Called once, on the outlet's own thread.
        """
        ...


class Lane:
    """One run on its way to the log."""

    __slots__ = (
        "barriers",
        "done",
        "key",
        "last",
        "lost",
        "posted",
        "trace_id",
        "unacknowledged",
    )

    def __init__(self, trace_id: str) -> None:
        self.trace_id = trace_id
        self.key = trace_id.encode()
        self.done: Future[int] = Future()
        """Resolved when the last record is acknowledged, with how many records were lost."""

        # The rest is the outlet's own thread's.
        self.unacknowledged = 0
        self.lost = 0
        self.posted = 0
        self.barriers: list[Barrier] = []
        self.last: tuple[Topic, bytes] | None = None


class Following:
    """A topic that is followed."""

    def __init__(self, heard_at: Callable[[], float | None] = time.time) -> None:
        self.ready: Future[None] = Future()
        """Resolved when the topic has been read to the end that it had at first."""

        self._heard_at = heard_at

    @property
    def heard_at(self) -> float | None:
        """When the broker last answered, in seconds since the epoch; None if never."""
        return self._heard_at()


class Outlet(Protocol):
    """Where records go. Every method may be called from any thread; none raises for a broker."""

    def post(self, lane: Lane, topic: Topic, value: bytes | Draft) -> None:
        """Queue one record under the lane's key. Costs microseconds; blocks only when full."""
        ...

    def post_body(self, lane: Lane, body: Body) -> None:
        """Queue a body unless it was sent already; the lane waits for it either way."""
        ...

    def await_body(self, lane: Lane, sha256: str) -> None:
        """Let the lane wait for a body that was posted before, by whatever lane."""
        ...

    def finish(self, lane: Lane, topic: Topic, value: bytes) -> None:
        """Queue the lane's last record, to be sent when all before it is acknowledged."""
        ...

    def stored(self, lane: Lane) -> Future[int]:
        """Tell when what was posted on the lane until now is acknowledged or safely spooled."""
        ...

    def append(self, topic: Topic, key: bytes, value: bytes) -> Future[int]:
        """Queue a record of no lane; the future gives its offset once it is acknowledged."""
        ...

    def follow(self, topic: Topic, take: Callable[[int, bytes | None], None]) -> Following:
        """Read a topic of one partition from its start and go on reading until the outlet closes.

        Args:
            topic: the topic.
            take: called with offset and value of each record, in order, on the outlet's thread.
        """
        ...

    def read(self, topic: Topic) -> Future[list[tuple[int, bytes]]]:
        """Read a topic of one partition to its end: offset and value of each record."""
        ...
