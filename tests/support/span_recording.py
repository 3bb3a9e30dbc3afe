"""Spans of the SDK recorded into memory, and an outlet that acknowledges only when told to."""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from tailrace.producers.delivery.ledger import Ledger
from tailrace.producers.otel import SpanOptions, TailraceSpanExporter, TailraceSpanProcessor
from tailrace.producers.testing import Journal, memory_journal

if TYPE_CHECKING:
    from collections.abc import Generator

    from opentelemetry.sdk.trace import ReadableSpan

    from tailrace.producers.delivery.ledger import Record
    from tailrace.producers.delivery.outlet import Draft, Lane
    from tailrace.schemas.payloads import Body
    from tailrace.schemas.topics import Topic

LLM = {"gen_ai.operation.name": "chat"}
AGENT = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "support"}


@contextmanager
def processing(
    options: SpanOptions | None = None, **client: Any
) -> Generator[tuple[Any, TailraceSpanProcessor, Journal]]:
    with memory_journal(**client) as journal:
        processor = TailraceSpanProcessor(journal.client, options=options)
        provider = TracerProvider()
        provider.add_span_processor(processor)
        try:
            yield provider.get_tracer("agent", "1.0"), processor, journal
        finally:
            provider.shutdown()


@contextmanager
def exporting(
    options: SpanOptions | None = None,
) -> Generator[tuple[Any, TailraceSpanExporter, Journal]]:
    with memory_journal() as journal:
        exporter = TailraceSpanExporter(journal.client, options=options)
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        try:
            yield provider.get_tracer("agent", "1.0"), exporter, journal
        finally:
            provider.shutdown()


def kinds(journal: Journal) -> list[str]:
    return [event.kind for event in journal.events]


def made(build: Any) -> list[ReadableSpan]:
    """Return the finished spans of what `build` does with a tracer, in the order of their ends."""
    kept: list[ReadableSpan] = []

    class Keep(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            kept.extend(spans)
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(Keep()))
    build(provider.get_tracer("agent"))
    provider.shutdown()
    return kept


class SlowJournal(Journal):
    """Acknowledges only when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.sent: list[Record] = []
        self.taken = True

    def post(self, lane: Lane, topic: Topic, value: bytes | Draft) -> None:
        if self.taken:
            self._keep(self.ledger.post(lane, topic, value))

    def post_body(self, lane: Lane, body: Body) -> None:
        self._keep(self.ledger.post_body(lane, body))

    def await_body(self, lane: Lane, sha256: str) -> None:
        self.ledger.await_body(lane, sha256)

    def finish(self, lane: Lane, topic: Topic, value: bytes) -> None:
        self._keep(self.ledger.finish(lane, topic, value))

    def stored(self, lane: Lane) -> Future[int]:
        future: Future[int] = Future()
        if self.taken:
            self.ledger.barrier(lane, future)
        return future

    def _keep(self, record: Record | None) -> None:
        if record is not None:
            self.sent.append(record)

    def acknowledge(self, count: int = 1000) -> None:
        while self.sent and count:
            count -= 1
            self.sent.extend(self.ledger.acknowledge((self.sent.pop(0),), 0))
