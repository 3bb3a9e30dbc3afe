"""The sender: a thread with its own event loop that brings records to Kafka and tells of it.

Callers only append to a queue. The thread drains it every few milliseconds, keeps the lanes'
accounts (`ledger`), and sends one batch a partition at a time with an idempotent producer
(`delivery`). Any error that the producer gives up on means a new producer: what was not
acknowledged is sent again, in order, the same bytes. Only then can an event lie on the log twice.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from aiokafka.errors import KafkaError

from tailrace.producers.delivery import Delivery
from tailrace.producers.ledger import Ledger
from tailrace.producers.topic_reader import read_to_end
from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tailrace.producers.delivery import Entry
    from tailrace.producers.outlet import Draft, Lane
    from tailrace.schemas.payloads import Body
    from tailrace.schemas.topics import Topic

_log = logging.getLogger("tailrace.producers")

MAX_QUEUED = 200_000
"""Entries that may wait for the sender's thread, whatever their size."""


class KafkaUnreachableError(TailraceError):
    """The client could not be opened: no broker answered in time, or it lacks a topic."""


class KafkaSender:
    """An outlet to Kafka. See `Outlet` for the promise it keeps."""

    def __init__(
        self,
        options: Mapping[str, Any],
        *,
        prefix: str | None = None,
        linger_s: float = 0.005,
        max_buffer_bytes: int = 64 * 1024 * 1024,
        max_block_s: float = 5.0,
        on_tick: Callable[[], None] | None = None,
    ) -> None:
        """Make a sender that is not open yet.

        Args:
            options: the connection arguments of an aiokafka client.
            prefix: the topics' prefix; the configured one when None.
            linger_s: how long a record waits for others, unless a run ends.
            max_buffer_bytes: how much may be unacknowledged before callers have to wait.
            max_block_s: how long a caller then waits, once in an outage; after that records are
                shed and counted, and their run shows the gap.
            on_tick: called on the sender's thread about four times a second; must not block.
        """
        self._options = options
        self._prefix = prefix
        self._linger_s = linger_s
        self._max_buffer_bytes = max_buffer_bytes
        self._max_block_s = max_block_s
        self._on_tick = on_tick
        self._thread: threading.Thread | None = None
        self.delivery: Delivery | None = None
        self._queue: Any = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self._closing: asyncio.Event | None = None
        self._shedding = False
        self._close_timeout_s = 0.0
        self.shed = 0
        """Records given up because the buffer stayed full."""

    def open(self, timeout_s: float) -> None:
        """Start the thread and connect; blocks until connected.

        Raises:
            KafkaUnreachableError: if no broker answers within the time, or a topic is missing.
        """
        ready: Future[None] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._main(ready, timeout_s)),
            name="tailrace-sender",
            daemon=True,
        )
        self._thread.start()
        ready.result()

    def close(self, timeout_s: float) -> int:
        """Send what is queued, for at most that long, and end the thread.

        Returns how many records were not acknowledged by then.
        """
        thread, delivery, loop = self._thread, self.delivery, self.loop
        if thread is None or delivery is None or loop is None or self._closing is None:
            return 0
        self._close_timeout_s = timeout_s
        if thread.is_alive():
            loop.call_soon_threadsafe(self._closing.set)
        thread.join(timeout_s + 2 * _GRACE_S)
        self._thread = None
        return delivery.ledger.outstanding + len(delivery.queue)

    def post(self, lane: Lane, topic: Topic, value: bytes | Draft) -> None:
        """Queue one record under the lane's key."""
        self._put((Ledger.post, lane, topic, value))

    def post_body(self, lane: Lane, body: Body) -> None:
        """Queue a body unless it was sent already; the lane waits for it either way."""
        self._put((Ledger.post_body, lane, body))

    def await_body(self, lane: Lane, sha256: str) -> None:
        """Let the lane wait for a body that was posted before."""
        self._put((Ledger.await_body, lane, sha256))

    def finish(self, lane: Lane, topic: Topic, value: bytes) -> None:
        """Queue the lane's last record, to be sent when all before it is acknowledged."""
        self._put((Ledger.finish, lane, topic, value), urgent=True)

    def append(self, topic: Topic, key: bytes, value: bytes) -> Future[int]:
        """Queue a record of no lane; the future gives its offset once it is acknowledged."""
        future: Future[int] = Future()
        self._put((Ledger.append, topic, key, value, future), urgent=True)
        return future

    def read(self, topic: Topic) -> Future[list[tuple[int, bytes]]]:
        """Read a topic of one partition to its end, within a bound."""
        assert self.loop is not None, "open the sender before use"
        reading = read_to_end(self._options, topic.name(self._prefix))
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(reading, _READ_S), self.loop)

    @property
    def restarts(self) -> int:
        """How often the producer had to be replaced."""
        return 0 if self.delivery is None else self.delivery.restarts

    def _put(self, entry: Entry, *, urgent: bool = False) -> None:
        delivery = self.delivery
        assert delivery is not None, "open the sender before use"
        if (delivery.full or len(self._queue) > MAX_QUEUED) and not self._room(delivery):
            self.shed += 1
            if not urgent:
                return
        self._queue.append(entry)
        if urgent or not delivery.scheduled:
            delivery.scheduled = True
            self._wake(delivery, urgent=urgent)

    def _wake(self, delivery: Delivery, *, urgent: bool) -> None:
        assert self.loop is not None
        try:
            self.loop.call_soon_threadsafe(delivery.now if urgent else delivery.soon)
        except RuntimeError:  # the loop is closed: the client was, and says what it could not send
            self.shed += 1

    def _room(self, delivery: Delivery) -> bool:
        """Wait for room, once in an outage; say whether there is any."""
        if not self._shedding and delivery.room.wait(self._max_block_s):
            return True
        if delivery.room.is_set():
            self._shedding = False
            return True
        if not self._shedding:
            self._shedding = True
            _log.error(
                "tailrace: Kafka has taken nothing for %s s and the buffer is full: events are now "
                "dropped and counted, and their runs will show a gap",
                self._max_block_s,
            )
        return False

    async def _main(self, ready: Future[None], timeout_s: float) -> None:
        delivery = Delivery(
            self._options,
            self._prefix,
            linger_s=self._linger_s,
            max_buffer_bytes=self._max_buffer_bytes,
            on_tick=self._on_tick,
        )
        self.loop = asyncio.get_running_loop()
        self._closing = asyncio.Event()
        try:
            await asyncio.wait_for(delivery.open(), timeout_s)
        except Exception as error:  # noqa: BLE001 - handed to the caller, whatever it is
            await delivery.abandon()
            ready.set_exception(self._unreachable(error, timeout_s))
            return
        self.delivery, self._queue = delivery, delivery.queue
        ready.set_result(None)
        running = asyncio.create_task(delivery.run())
        await self._closing.wait()
        await asyncio.wait({asyncio.create_task(delivery.settled())}, timeout=self._close_timeout_s)
        running.cancel()
        await asyncio.wait({running}, timeout=_GRACE_S)

    def _unreachable(self, error: Exception, timeout_s: float) -> Exception:
        servers = self._options.get("bootstrap_servers")
        if not isinstance(error, (KafkaError, OSError, TimeoutError)):
            return error
        reason = f"no answer within {timeout_s:g} s" if isinstance(error, TimeoutError) else error
        return KafkaUnreachableError(
            f"Kafka at {servers} cannot be used: {reason}; check the address, "
            "or start the local stack with `tailrace up`"
        )


_GRACE_S = 4.0
_READ_S = 10.0
