"""The sender: a thread with its own event loop that brings records to Kafka and tells of it.

Callers only append to a queue. The thread drains it every few milliseconds, keeps the lanes'
accounts (`ledger`), and sends one batch a partition at a time with an idempotent producer
(`delivery`). Any error that the producer gives up on means a new producer: what was not
acknowledged is sent again, in order, the same bytes. Only then can an event lie on the log twice,
or when another process takes over the spool of one that died (`backlog`).
"""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from aiokafka.errors import KafkaError

from tailrace.producers.delivery.backlog import Way
from tailrace.producers.delivery.delivery import Delivery
from tailrace.producers.delivery.followed import Followed
from tailrace.producers.delivery.ledger import Ledger
from tailrace.producers.delivery.outlet import SENDER_THREAD, KafkaUnreachableError
from tailrace.producers.delivery.producer import STOP_S
from tailrace.producers.delivery.room import MAX_QUEUED, Room
from tailrace.producers.delivery.topic_reader import read_to_end

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tailrace.producers.delivery.delivery import Entry
    from tailrace.producers.delivery.outlet import Draft, Following, Lane
    from tailrace.producers.delivery.room import WhenFull
    from tailrace.producers.delivery.spool import Spool
    from tailrace.producers.stats import Stats
    from tailrace.schemas.payloads import Body
    from tailrace.schemas.topics import Topic

_log = logging.getLogger("tailrace.producers")


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
        spool: Spool | None = None,
        spool_after_s: float = 1.0,
        when_full: WhenFull = "block",
        required: bool = True,
    ) -> None:
        """Make a sender that is not open yet.

        Args:
            options: the connection arguments of an aiokafka client.
            prefix: the topics' prefix; the configured one when None.
            linger_s: how long a record waits for others, unless a run ends.
            max_buffer_bytes: how much may be in memory, neither acknowledged nor in the spool.
            max_block_s: how long a caller may be kept waiting in an outage.
            on_tick: called on the sender's thread about four times a second; must not block.
            spool: where records wait that Kafka does not take; in memory alone when None.
            spool_after_s: how long nothing may be acknowledged before the spool is used.
            when_full: what to do when memory and spool are full; see `WhenFull`.
            required: whether `open` fails without a broker, or connects in the background.
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
        self._spool = spool
        self._spool_after_s = spool_after_s
        self._when_full: WhenFull = when_full
        self._required = required
        self._room: Room | None = None
        self._close_timeout_s = 0.0
        self._followed: list[Followed] = []
        self._reading: set[asyncio.Task[Any]] = set()
        self.shed = 0
        """Records given up because memory and spool stayed full."""

        self.kept = 0
        """Records that lay in the spool when the sender was closed."""

    def open(self, timeout_s: float) -> None:
        """Start the thread and connect; blocks until connected, or for that long.

        Raises:
            KafkaUnreachableError: if a broker is required and none answers within the time, or a
                topic is missing; or if the thread does not come to an answer at all.
        """
        ready: Future[None] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._main(ready, timeout_s)),
            name=SENDER_THREAD,
            daemon=True,
        )
        self._thread.start()
        try:
            ready.result(timeout_s + 2 * _GRACE_S)
        except TimeoutError:
            if ready.cancel():
                raise KafkaUnreachableError(
                    f"the thread that sends to Kafka said nothing within {timeout_s:g} s: "
                    "something in this process holds it up"
                ) from None
            ready.result()  # it is just saying so

    def close(self, timeout_s: float) -> int:
        """Send what is queued, for at most that long, and end the thread.

        What is not acknowledged by then is left in the spool; `kept` says how much. Returns how
        many records are neither acknowledged nor in the spool.
        """
        thread, delivery, loop = self._thread, self.delivery, self.loop
        if thread is None or delivery is None or loop is None or self._closing is None:
            return 0
        self._close_timeout_s = timeout_s
        if thread.is_alive():
            loop.call_soon_threadsafe(self._closing.set)
        thread.join(timeout_s + 2 * _GRACE_S)
        self._thread = None
        self.kept = delivery.backlog.unsent
        return delivery.ledger.outstanding + len(delivery.queue)

    def flush(self, timeout_s: float) -> bool:
        """Wait until what is queued is acknowledged or in the spool; say whether it is.

        Blocks for at most that long. What Kafka has not acknowledged by then goes to the spool.
        """
        delivery, loop = self.delivery, self.loop
        if delivery is None or loop is None or self._thread is None or not self._thread.is_alive():
            return True
        stored = asyncio.run_coroutine_threadsafe(delivery.stored(timeout_s), loop)
        try:
            return stored.result(timeout_s + _GRACE_S)
        except TimeoutError:
            return False

    def count_into(self, stats: Stats) -> None:
        """Write down what was counted until now."""
        stats.shed, stats.left, stats.restarts = self.shed, self.kept, self.restarts
        if self.delivery is not None:
            backlog = self.delivery.backlog
            stats.spooled = backlog.spooled
            stats.taken_over = backlog.replay.taken_over
            stats.corrupt = backlog.replay.corrupt
            stats.reduced = self.delivery.ledger.reduced
            stats.too_large = self.delivery.lost

    def post(self, lane: Lane, topic: Topic, value: bytes | Draft) -> None:
        """Queue one record under the lane's key.

        Who runs ahead of the sender makes the bytes of a draft himself: all its pieces are at hand
        then, in this processor's caches, and the sender comes to send.
        """
        if len(self._queue) > _AHEAD and not isinstance(value, bytes):
            made = value.framed()
            if made is None:
                return
            value = made
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

    def stored(self, lane: Lane) -> Future[int]:
        """Tell when what was posted on the lane until now is acknowledged or safely spooled."""
        future: Future[int] = Future()
        self._put((Ledger.barrier, lane, future), urgent=True)
        return future

    def append(self, topic: Topic, key: bytes, value: bytes) -> Future[int]:
        """Queue a record of no lane; the future gives its offset once it is acknowledged."""
        future: Future[int] = Future()
        self._put((Ledger.append, topic, key, value, future), urgent=True)
        return future

    def follow(self, topic: Topic, take: Callable[[int, bytes | None], None]) -> Following:
        """Read a topic of one partition, as soon as the broker answers, and go on reading."""
        assert self.loop is not None, "open the sender before use"
        assert self.delivery is not None
        followed = Followed(
            topic.name(self._prefix), take, self._options, self.delivery.backlog.connected
        )
        self._followed.append(followed)
        self.loop.call_soon_threadsafe(followed.begin)
        return followed.following

    def read(self, topic: Topic) -> Future[list[tuple[int, bytes]]]:
        """Read a topic of one partition to its end, as soon as the broker answers."""
        assert self.loop is not None, "open the sender before use"
        return asyncio.run_coroutine_threadsafe(self._read(topic.name(self._prefix)), self.loop)

    async def _read(self, name: str) -> list[tuple[int, bytes]]:
        assert self.delivery is not None
        reading = asyncio.current_task()
        assert reading is not None
        self._reading.add(reading)
        reading.add_done_callback(self._reading.discard)
        while True:
            await self.delivery.backlog.connected.wait()
            try:
                return await asyncio.wait_for(read_to_end(self._options, name), _READ_S)
            except (KafkaError, OSError, TimeoutError) as error:
                _log.warning("tailrace: %s cannot be read yet: %r", name, error)
                await asyncio.sleep(_READ_AGAIN_S)

    @property
    def options(self) -> Mapping[str, Any]:
        """The connection arguments of its aiokafka clients."""
        return self._options

    @property
    def prefix(self) -> str | None:
        """Of the topics' names; the configured one when None."""
        return self._prefix

    @property
    def away(self) -> bool:
        """Whether the broker does not take records as they come, as far as is known."""
        return self.delivery is None or self.delivery.backlog.way is not Way.DIRECT

    @property
    def full(self) -> bool:
        """Whether memory and spool have no room."""
        return self.delivery is not None and self.delivery.full

    @property
    def restarts(self) -> int:
        """How often the producer had to be replaced."""
        return 0 if self.delivery is None else self.delivery.restarts

    def _put(self, entry: Entry, *, urgent: bool = False) -> None:
        delivery = self.delivery
        room = self._room
        assert delivery is not None, "open the sender before use"
        assert room is not None
        if (delivery.full or len(self._queue) > MAX_QUEUED) and not room.make():
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

    async def _main(self, ready: Future[None], timeout_s: float) -> None:
        delivery = Delivery(
            self._options,
            self._prefix,
            linger_s=self._linger_s,
            max_buffer_bytes=self._max_buffer_bytes,
            on_tick=self._on_tick,
            spool=self._spool,
            spool_after_s=self._spool_after_s,
        )
        self.loop = asyncio.get_running_loop()
        self._closing = asyncio.Event()
        reason: Exception | None = None
        try:
            await asyncio.wait_for(delivery.open(timeout_s), timeout_s)
        except Exception as error:  # noqa: BLE001 - handed to the caller, whatever it is
            await delivery.abandon()
            reason = self._unreachable(error, timeout_s)
        if not ready.set_running_or_notify_cancel():
            await delivery.abandon()  # nobody waits any more
            return
        if reason is not None:
            if self._required or not isinstance(reason, KafkaUnreachableError):
                ready.set_exception(reason)
                return
            _log.warning("tailrace: %s. Events are kept until they can be sent.", reason)
        self._room = Room(
            delivery,
            self._when_full,
            max_buffer_bytes=self._max_buffer_bytes,
            max_block_s=self._max_block_s,
        )
        self.delivery, self._queue = delivery, delivery.queue
        ready.set_result(None)
        running = asyncio.create_task(delivery.run())
        await self._closing.wait()
        for followed in self._followed:
            await followed.end()
        await asyncio.wait({asyncio.create_task(self._settled())}, timeout=self._close_timeout_s)
        delivery.keep()
        running.cancel()
        await asyncio.wait({running}, timeout=_STOPPING_S)
        if self._spool is not None:
            self._spool.close()

    async def _settled(self) -> None:
        """Wait until all is acknowledged, also what is only said when a topic has been read."""
        assert self.delivery is not None
        await self.delivery.settled()
        while self._reading and not self.away:
            await asyncio.wait(self._reading)
            await self.delivery.settled()

    def _unreachable(self, error: Exception, timeout_s: float) -> Exception:
        servers = self._options.get("bootstrap_servers")
        if not isinstance(error, (KafkaError, OSError, TimeoutError)):
            return error
        reason = f"no answer within {timeout_s:g} s" if isinstance(error, TimeoutError) else error
        return KafkaUnreachableError(
            f"Kafka at {servers} cannot be used: {reason}; check the address, "
            "or start the local stack with `tailrace up`"
        )


_AHEAD = 128
"""How many entries may wait before callers make the bytes of their steps themselves."""

_GRACE_S = 4.0
_STOPPING_S = 2 * STOP_S + 1
"""A producer that does not stop has its connections cut; given less, they would stay open."""

_READ_S = 10.0
_READ_AGAIN_S = 1.0
