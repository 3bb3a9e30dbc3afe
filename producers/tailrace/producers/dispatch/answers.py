"""The answers to requests: last events of dispatched runs, as they come on the `runs` topic."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from tailrace.producers.recording.recording import REQUEST_ID
from tailrace.schemas import wire
from tailrace.schemas.consumers import FOLLOWING, stop_consumer
from tailrace.schemas.errors import TailraceError
from tailrace.schemas.payload_reading import references, resolve
from tailrace.schemas.topic_admin import TopicAdminError, list_topics
from tailrace.schemas.topics import RUNS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

_log = logging.getLogger("tailrace.producers")
_POLL_MS = 500
_AGAIN_S = 0.5
_REMEMBERED = 10_000


class DispatchedRunError(TailraceError):
    """A dispatched run failed or was cancelled.

    Args:
        text: a sentence for people.
        error_type: what the run raised, by name; empty when it raised nothing.
        trace_id: its trace.
    """

    def __init__(self, text: str, error_type: str, trace_id: str) -> None:
        super().__init__(text)
        self.error_type = error_type
        self.trace_id = trace_id


class AnswerTimeoutError(TailraceError):
    """No answer came in time; the work may still be done."""


class AnswerTooLargeError(TailraceError):
    """A dispatched run gave back more than its last event holds."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a dispatched run gave back."""

    output: Any
    """The value, of JSON's types."""

    trace_id: str
    run_id: str
    deployment: str


class Answers:
    """Tails `runs` for the requests that are waited for; on one event loop.

    The first last event of a request is its answer; later ones are counted and ignored.
    """

    def __init__(self, options: Mapping[str, Any], prefix: str | None) -> None:
        self._options = dict(options)
        self._prefix = prefix
        self._consumer: Any = None
        self._task: asyncio.Task[None] | None = None
        self._waiting: dict[bytes, dict[str, Future[Answer]]] = {}
        self._answered: deque[str] = deque(maxlen=_REMEMBERED)
        self.ignored = 0
        """Answers to requests that had one already."""

    async def start(self) -> None:
        """Stand at the end of every partition. Raises aiokafka's errors and `TopicAdminError`."""
        consumer: Any = AIOKafkaConsumer(
            **{**FOLLOWING, **self._options}, enable_auto_commit=False, auto_offset_reset="latest"
        )
        there = await list_topics((RUNS,), prefix=self._prefix, options=self._options)
        name = RUNS.name(self._prefix)
        if name not in there:
            raise TopicAdminError(
                f"the topic {name} does not exist: create it with `tailrace topics apply`"
            )
        partitions = [TopicPartition(name, number) for number in range(there[name].partitions)]
        try:
            await consumer.start()
            consumer.assign(partitions)
            await consumer.seek_to_end(*partitions)
            for partition in partitions:
                await consumer.position(partition)
        except BaseException:
            await stop_consumer(consumer)
            raise
        self._consumer = consumer
        self._task = asyncio.create_task(self._tail(), name="answers")

    async def stop(self) -> None:
        """Stop tailing; who still waits is told that no answer will come."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._consumer is not None:
            await stop_consumer(self._consumer)
        for waiting in list(self._waiting.values()):
            for future in waiting.values():
                if not future.done():
                    future.set_exception(AnswerTimeoutError("the client was closed"))
        self._waiting.clear()

    def expect(self, request_id: str, trace_id: str, answer: Future[Answer]) -> None:
        """Resolve a future with a request's answer, once it comes."""
        self._waiting.setdefault(trace_id.encode(), {})[request_id] = answer

    def give_up(self, request_id: str, trace_id: str) -> None:
        """Wait for a request no more."""
        waiting = self._waiting.get(trace_id.encode())
        if waiting is not None:
            waiting.pop(request_id, None)
            if not waiting:
                del self._waiting[trace_id.encode()]

    async def _tail(self) -> None:
        while True:
            try:
                batches = await self._consumer.getmany(timeout_ms=_POLL_MS)
            except Exception as error:  # noqa: BLE001 - who waits has a limit of his own
                _log.warning("tailrace: answers cannot be read yet: %r", error)
                await asyncio.sleep(_AGAIN_S)
                continue
            for records in batches.values():
                for record in records:
                    # Most records are of runs that nobody here waits for.
                    if record.key in self._waiting:
                        self.take(record.value)

    def take(self, value: bytes | None) -> None:
        """Take in a record of the topic; what is no answer that is waited for is passed over."""
        try:
            schema, event = wire.decode(value or b"")
        except wire.WireError:
            return
        if schema.name != "journal_event" or event["last_seq"] is None:
            return
        request_id = event["attributes"].get(REQUEST_ID, "")
        answer = self._waiting.get(event["trace_id"].encode(), {}).get(request_id)
        if answer is None:
            self.ignored += request_id in self._answered
            return
        self._answered.append(request_id)
        self.give_up(request_id, event["trace_id"])
        if not answer.done():
            _resolve(answer, event)


def _resolve(answer: Future[Answer], event: Mapping[str, Any]) -> None:
    trace_id, component = event["trace_id"], event["component"]
    if event["kind"] != "run_completed":
        what = event["kind"].removeprefix("run_")
        said = f": {event['error_type']}: {event['error_message']}" if event["error_type"] else ""
        text = f"the dispatched run of {component} {what}{said} (trace {trace_id})"
        answer.set_exception(DispatchedRunError(text, event["error_type"], trace_id))
    elif references(event["output"]):
        answer.set_exception(
            AnswerTooLargeError(
                f"the dispatched run of {component} gave back more than an answer holds: read it "
                f"with `tailrace traces show {trace_id}`"
            )
        )
    else:
        output = resolve(event["output"], {})
        answer.set_result(Answer(output, trace_id, event["run_id"], event["deployment"]))
