"""What is on its way and what is acknowledged: the promise of a lane, kept without any I/O.

The outlet's thread alone calls it: `take` turns what callers queued into records that may be sent
now, `acknowledge` says that one is on the log and returns what may be sent because of that.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from tailrace.producers.content.encode import body_record
from tailrace.producers.content.reduction import MAX_RECORD_BYTES, reduced
from tailrace.producers.delivery.passage import OnDisk
from tailrace.schemas.errors import TailraceError
from tailrace.schemas.topics import BODIES, Topic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future

    from tailrace.producers.delivery.outlet import Draft, Lane
    from tailrace.schemas.payloads import Body

BODY_MEMORY = 65_536
"""How many bodies a process remembers as sent."""

BODY_MEMORY_S = 24 * 3600.0
"""How long it does: well below any retention, so that no reference outlives its body."""

SPOOLED = -1
"""The offset of a record that lies in the spool: it has none yet."""


class Record:
    """One record on its way, and who waits for it."""

    __slots__ = ("body", "disk", "future", "is_last", "key", "lane", "ordinal", "topic", "value")

    def __init__(
        self, topic: Topic, key: bytes, value: bytes, lane: Lane | None, ordinal: int = 0
    ) -> None:
        self.topic = topic
        self.key = key
        self.value = value
        self.lane = lane
        self.ordinal = ordinal
        self.is_last = False
        self.body: BodyState | None = None
        self.future: Future[int] | None = None
        self.disk: OnDisk | None = None


class BodyState:
    """A body that was sent: whether it is acknowledged, which body it builds on, who waits."""

    __slots__ = ("acknowledged", "previous", "sent_at", "waiting")

    def __init__(self, previous: str, sent_at: float) -> None:
        self.acknowledged = False
        self.previous = previous
        self.sent_at = sent_at
        self.waiting: list[tuple[Lane, int]] = []
        """Lanes, and how many records each had posted when it began to wait."""


class Barrier:
    """Somebody who waits until what a lane had posted by then is stored."""

    __slots__ = ("future", "pending", "until")

    def __init__(self, until: int, pending: int, future: Future[int]) -> None:
        self.until = until
        self.pending = pending
        self.future = future


class Ledger:
    """The lanes' accounts. Not thread-safe on purpose: one thread owns it."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._clock = clock
        self._wall_ns = wall_ns
        self._bodies: OrderedDict[str, BodyState] = OrderedDict()
        self.outstanding = 0
        """Records handed out by `take` or `acknowledge` and not yet acknowledged, and lasts held
        back."""

        self.outstanding_bytes = 0
        """The sizes of their values."""

        self.reduced = 0
        """Records that were made smaller, as they were too large to be sent."""

    def post(self, lane: Lane, topic: Topic, value: bytes | Draft) -> Record | None:
        """Account for a record of a lane; it may be sent at once. None if it could not be made."""
        if not isinstance(value, bytes):
            made = value.framed()
            if made is None:
                return None
            value = made
        lane.unacknowledged += 1
        lane.posted += 1
        return self._out(Record(topic, lane.key, value, lane, lane.posted))

    def barrier(self, lane: Lane, future: Future[int]) -> None:
        """Resolve the future when all that the lane has waited for until now is stored."""
        if lane.unacknowledged == 0:
            future.set_result(lane.lost)
        else:
            lane.barriers.append(Barrier(lane.posted, lane.unacknowledged, future))

    def append(self, topic: Topic, key: bytes, value: bytes, future: Future[int]) -> Record:
        """Account for a record of no lane."""
        record = self._out(Record(topic, key, value, None))
        record.future = future
        return record

    def post_body(self, lane: Lane, body: Body) -> Record | None:
        """Account for a body; None when it was sent already, and then the lane waits for it."""
        now = self._clock()
        known = self._bodies.get(body.sha256)
        if known is not None and now - known.sent_at < BODY_MEMORY_S:
            self._bodies.move_to_end(body.sha256)
            self.await_body(lane, body.sha256)
            return None
        state = BodyState(body.previous, now)
        self._bodies[body.sha256] = state
        if len(self._bodies) > BODY_MEMORY:
            self._bodies.popitem(last=False)
        self.await_body(lane, body.sha256)
        value = body_record(body, lane.trace_id, self._wall_ns() // 1000)
        record = self._out(Record(BODIES, body.sha256.encode(), value, None))
        record.body = state
        return record

    def await_body(self, lane: Lane, sha256: str) -> None:
        """Let the lane wait for a body, and for every one that it builds on."""
        state = self._bodies.get(sha256)
        while state is not None:
            if not state.acknowledged:
                state.waiting.append((lane, lane.posted))
                lane.unacknowledged += 1
            # Once all below it is known to be stored, the link is cut: the walk stays short.
            below = self._bodies.get(state.previous) if state.previous else None
            if below is not None and below.acknowledged and not below.previous:
                state.previous = ""
                below = None
            state = below

    def finish(self, lane: Lane, topic: Topic, value: bytes) -> Record | None:
        """Account for a lane's last record; it is returned when it may be sent at once."""
        if lane.unacknowledged == 0:
            return self._last(lane, topic, value)
        lane.last = (topic, value)
        self.outstanding += 1
        return None

    def acknowledge(self, records: Iterable[Record], first_offset: int) -> list[Record]:
        """Say that records of a partition are on the log, one after the other.

        Returns the last records that may be sent because of that.
        """
        released: list[Record] = []
        for place, record in enumerate(records):
            if record.disk is not None:
                record.disk.arrive()
                continue
            self.outstanding -= 1
            self.outstanding_bytes -= len(record.value)
            lane = record.lane
            if record.future is not None:
                record.future.set_result(first_offset + place if first_offset >= 0 else SPOOLED)
            if lane is None:
                self._acknowledge_body(record, released)
            elif record.is_last:
                lane.done.set_result(lane.lost)
            else:
                self._arrive(lane, record.ordinal, released)
        return released

    def store(self, records: Iterable[Record]) -> list[Record]:
        """Say that records lie safely on disk: nobody waits for the broker's word on them.

        Returns the last records that may be stored or sent because of that.
        """
        kept = list(records)
        released = self.acknowledge(kept, SPOOLED)
        for record in kept:
            record.disk = OnDisk()
        return released

    def _acknowledge_body(self, record: Record, released: list[Record]) -> None:
        if record.body is not None:
            record.body.acknowledged = True
            for lane, ordinal in record.body.waiting:
                self._arrive(lane, ordinal, released)
            record.body.waiting = []

    def _arrive(self, lane: Lane, ordinal: int, released: list[Record]) -> None:
        """Count one of the things that a lane waits for as stored."""
        lane.unacknowledged -= 1
        if lane.barriers:
            for barrier in lane.barriers:
                if ordinal <= barrier.until:
                    barrier.pending -= 1
                    if barrier.pending == 0:
                        barrier.future.set_result(lane.lost)
            lane.barriers = [each for each in lane.barriers if each.pending]
        if lane.unacknowledged == 0 and lane.last is not None:
            self._release(lane, lane.last, released)

    def lose(self, record: Record) -> list[Record]:
        """Give a record up that can never be sent; its run shows the gap."""
        lanes = [record.lane]
        if record.body is not None:
            lanes = [lane for lane, _ in record.body.waiting]
        for lane in lanes:
            if lane is not None:
                lane.lost += 1
        if record.body is not None:
            # The next one that needs it shall try again.
            for sha256, state in list(self._bodies.items()):
                if state is record.body:
                    del self._bodies[sha256]
        return self.acknowledge((record,), -1)

    def _release(self, lane: Lane, last: tuple[Topic, bytes], released: list[Record]) -> None:
        lane.last = None
        self.outstanding -= 1
        released.append(self._last(lane, *last))

    def _last(self, lane: Lane, topic: Topic, value: bytes) -> Record:
        record = self._out(Record(topic, lane.key, value, lane))
        record.is_last = True
        return record

    def shrink(self, record: Record) -> bool:
        """Make a record smaller that is too large for the broker; say whether that was possible."""
        try:
            value = reduced(record.value)
        except TailraceError:
            return False
        if value is None:
            return False
        if record.disk is None:
            self.outstanding_bytes += len(value) - len(record.value)
        record.value = value
        self.reduced += 1
        return True

    def _out(self, record: Record) -> Record:
        self.outstanding += 1
        self.outstanding_bytes += len(record.value)
        if len(record.value) > MAX_RECORD_BYTES:
            self.shrink(record)
        return record
