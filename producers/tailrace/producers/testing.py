"""A journal in memory, for the tests of your own agents: no Kafka, the same code path.

```python
with memory_journal() as journal:
    answer("Where is my parcel?")
assert journal.last_run.output == "It is on its way."
assert [step.name for step in journal.steps()] == ["find_order", "answer"]
assert journal.steps(name="find_order")[0].input == {"order_id": "A-17"}
```
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tailrace.producers.client import Tailrace
from tailrace.producers.delivery.ledger import Ledger, Record
from tailrace.producers.delivery.outlet import Following
from tailrace.producers.seen import NothingRecordedError, RunSeen, StepSeen
from tailrace.schemas import wire
from tailrace.schemas.events import parse_event
from tailrace.schemas.payload_reading import resolve
from tailrace.schemas.topics import BODIES, CONTROL, RUNS, SCORES, STEPS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from tailrace.producers.delivery.outlet import Draft, Lane
    from tailrace.schemas.events import Event
    from tailrace.schemas.payloads import Body
    from tailrace.schemas.topics import Topic

_SEQ = "seq"  # what every event has and a heartbeat has not


class Journal:
    """What was recorded, in the order in which it was acknowledged. Thread-safe to read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ledger = Ledger()
        self.log: list[Record] = []
        """Every record with topic, key and framed value."""

        self.client: Tailrace | None = None
        self._ends: dict[Topic, int] = {}
        self._followers: dict[Topic, list[Callable[[int, bytes | None], None]]] = {}

    @property
    def events(self) -> list[Event]:
        """Every event of runs and steps, typed."""
        records = self.records(RUNS, STEPS)
        return [parse_event(record) for record in records if _SEQ in record]

    @property
    def runs(self) -> list[RunSeen]:
        """Every run that has begun, in that order, child runs too."""
        by_run: dict[str, list[Event]] = {}
        for event in self.events:
            by_run.setdefault(event.run.run_id, []).append(event)
        return [RunSeen(events, self.bodies) for events in by_run.values()]

    @property
    def last_run(self) -> RunSeen:
        """The root run that began last.

        Raises:
            NothingRecordedError: if there is none.
        """
        roots = [run for run in self.runs if not run.parent_run_id]
        if not roots:
            raise NothingRecordedError(
                "no run was recorded: call a function decorated with @component within the block"
            )
        return roots[-1]

    def steps(
        self, *, name: str | None = None, kind: str | None = None, component: str | None = None
    ) -> list[StepSeen]:
        """Return the steps that have ended, of every run, in the order in which they did.

        Args:
            name: only steps of this name.
            kind: only steps of this kind, such as `llm`.
            component: only steps of runs of this component.
        """
        return [
            step
            for run in self.runs
            if component in {None, run.component}
            for step in run.steps
            if name in {None, step.name} and kind in {None, step.kind}
        ]

    @property
    def heartbeats(self) -> list[dict[str, Any]]:
        """Every sign of life of a run."""
        return [record for record in self.records(RUNS) if _SEQ not in record]

    @property
    def scores(self) -> list[dict[str, Any]]:
        """Every score, such as `feedback` gives."""
        return self.records(SCORES)

    @property
    def bodies(self) -> dict[str, str]:
        """Every body's JSON by its hash."""
        return {record["sha256"]: record["content"] for record in self.records(BODIES)}

    @property
    def control(self) -> list[dict[str, Any]]:
        """Every record of the control topic."""
        return self.records(CONTROL)

    def records(self, *topics: Topic) -> list[dict[str, Any]]:
        """Return the decoded records of topics."""
        return [wire.decode(record.value)[1] for record in list(self.log) if record.topic in topics]

    def value(self, text: str | None) -> Any:
        """Return what an event's input or output stands for, references resolved."""
        return resolve(text, self.bodies)

    def post(self, lane: Lane, topic: Topic, value: bytes | Draft) -> None:
        """See `Outlet`."""
        with self._lock:
            self._acknowledge(self._ledger.post(lane, topic, value))

    def post_body(self, lane: Lane, body: Body) -> None:
        """See `Outlet`."""
        with self._lock:
            self._acknowledge(self._ledger.post_body(lane, body))

    def await_body(self, lane: Lane, sha256: str) -> None:
        """See `Outlet`."""
        with self._lock:
            self._ledger.await_body(lane, sha256)

    def finish(self, lane: Lane, topic: Topic, value: bytes) -> None:
        """See `Outlet`."""
        with self._lock:
            self._acknowledge(self._ledger.finish(lane, topic, value))

    def stored(self, lane: Lane) -> Future[int]:
        """See `Outlet`."""
        future: Future[int] = Future()
        with self._lock:
            self._ledger.barrier(lane, future)
        return future

    def append(self, topic: Topic, key: bytes, value: bytes) -> Future[int]:
        """See `Outlet`."""
        future: Future[int] = Future()
        with self._lock:
            self._acknowledge(self._ledger.append(topic, key, value, future))
        return future

    def follow(self, topic: Topic, take: Callable[[int, bytes | None], None]) -> Following:
        """See `Outlet`."""
        following = Following()
        with self._lock:
            for offset, value in self.read(topic).result():
                take(offset, value)
            self._followers.setdefault(topic, []).append(take)
        following.ready.set_result(None)
        return following

    def read(self, topic: Topic) -> Future[list[tuple[int, bytes]]]:
        """See `Outlet`."""
        future: Future[list[tuple[int, bytes]]] = Future()
        values = [record.value for record in list(self.log) if record.topic is topic]
        future.set_result(list(enumerate(values)))
        return future

    def _acknowledge(self, record: Record | None) -> None:
        waiting = deque([] if record is None else [record])
        while waiting:
            record = waiting.popleft()
            offset = self._ends.get(record.topic, 0)
            self._ends[record.topic] = offset + 1
            self.log.append(record)
            for take in self._followers.get(record.topic, ()):
                take(offset, record.value)
            waiting.extend(self._ledger.acknowledge((record,), offset))


@contextmanager
def memory_journal(**options: Any) -> Generator[Journal]:
    """Record into memory within the block.

    Args:
        options: those of `Tailrace`, such as `step_started_after_s`.
    """
    journal = Journal()
    with Tailrace(outlet=journal, **options) as client:
        journal.client = client
        yield journal
