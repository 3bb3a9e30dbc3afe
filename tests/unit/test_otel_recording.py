"""The processor and the exporter on the SDK's own spans, with a journal in memory."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, TraceIdRatioBased

from support.waiting import wait_until
from tailrace.producers.ledger import Ledger
from tailrace.producers.otel import SpanOptions, TailraceSpanExporter, TailraceSpanProcessor
from tailrace.producers.testing import Journal, memory_journal
from tailrace.schemas.events import RunCompleted

if TYPE_CHECKING:
    from collections.abc import Generator

    from opentelemetry.sdk.trace import ReadableSpan

    from tailrace.producers.ledger import Record
    from tailrace.producers.outlet import Draft, Lane
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

    class Keep(TailraceSpanExporter):
        def __init__(self) -> None:
            pass

        def export(self, spans: Any) -> SpanExportResult:
            kept.extend(spans)
            return SpanExportResult.SUCCESS

        def shutdown(self, timeout_millis: float = 0) -> None:
            del timeout_millis

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(Keep()))
    build(provider.get_tracer("agent"))
    provider.shutdown()
    return kept


def test_a_run_is_announced_with_what_was_said_just_after_its_start() -> None:
    with processing() as (tracer, processor, journal):
        with tracer.start_as_current_span("handle", attributes=AGENT) as span:
            span.set_attribute("session.id", "s1")
            assert kinds(journal) == []
            with tracer.start_as_current_span("chat", attributes=LLM):
                assert kinds(journal) == ["run_started"]
            assert kinds(journal) == ["run_started", "step_completed"]
        assert kinds(journal)[-1] == "run_completed"
        assert {event.run.session for event in journal.events} == {"s1"}
        assert processor.force_flush()
    assert (processor.stats.late, processor.stats.dropped) == (0, 0)


def test_a_run_can_be_announced_at_once() -> None:
    with (
        processing(SpanOptions(announce_after_s=0)) as (tracer, _, journal),
        tracer.start_as_current_span("handle", attributes=AGENT),
    ):
        assert kinds(journal) == ["run_started"]


def test_a_run_without_children_is_announced_after_a_while() -> None:
    with (
        processing(SpanOptions(announce_after_s=0.01)) as (tracer, _, journal),
        tracer.start_as_current_span("handle", attributes=AGENT),
    ):
        wait_until(lambda: kinds(journal) == ["run_started"], "the run is announced")


def test_a_span_after_the_end_of_its_run_is_counted_and_breaks_nothing() -> None:
    with processing() as (tracer, processor, journal):
        root = tracer.start_span("handle", attributes=AGENT)
        context = trace.set_span_in_context(root)
        root.end()
        late = tracer.start_span("chat", context=context, attributes=LLM)
        tracer.start_span("chat", context=trace.set_span_in_context(late)).end()
        late.end()
        assert kinds(journal) == ["run_started", "run_completed"]
        assert processor.stats.late == 2


def test_a_run_waits_for_the_spans_that_it_started() -> None:
    with processing() as (tracer, _, journal):
        root = tracer.start_span("handle", attributes=AGENT)
        child = tracer.start_span("chat", context=trace.set_span_in_context(root), attributes=LLM)
        root.end()
        assert kinds(journal) == ["run_started"]
        child.end()
        assert kinds(journal) == ["run_started", "step_completed", "run_completed"]
        assert journal.events[-1].attributes.get("otel.gaps") is None


def test_a_run_ends_without_a_span_that_stays_open_and_says_so() -> None:
    with processing(SpanOptions(open_spans_wait_s=0.01)) as (tracer, processor, journal):
        root = tracer.start_span("handle", attributes=AGENT)
        child = tracer.start_span("chat", context=trace.set_span_in_context(root), attributes=LLM)
        root.end()
        wait_until(lambda: "run_completed" in kinds(journal), "the run ends")
        child.end()
        last = journal.events[-1]
        assert isinstance(last, RunCompleted)
        assert "1 spans still open when the run had to end" in last.not_replayable
    assert processor.stats.incomplete_runs == 1


def test_a_root_span_that_is_open_at_the_end_has_no_last_event() -> None:
    with processing() as (tracer, processor, journal):
        root = tracer.start_span("handle", attributes=AGENT)
        context = trace.set_span_in_context(root)
        tracer.start_span("chat", context=context, attributes=LLM).end()
        processor.shutdown()
        assert kinds(journal) == ["run_started", "step_completed"]
        root.end()
    assert (processor.stats.abandoned, processor.stats.dropped) == (1, 1)


def test_threads_write_whole_runs_at_once() -> None:
    with processing() as (tracer, processor, journal):

        def handle() -> None:
            for _ in range(20):
                with tracer.start_as_current_span("handle", attributes=AGENT):
                    for _ in range(3):
                        tracer.start_span("chat", attributes=LLM).end()

        threads = [threading.Thread(target=handle) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert processor.force_flush()
        runs: dict[str, list[int]] = {}
        for event in journal.events:
            runs.setdefault(event.run.run_id, []).append(event.seq)
        assert len(runs) == 80
        assert all(seqs == list(range(5)) for seqs in runs.values())


def test_an_unsampled_trace_is_not_there() -> None:
    with memory_journal() as journal:
        for sampler in (ALWAYS_OFF, TraceIdRatioBased(0.0)):
            provider = TracerProvider(sampler=sampler)
            provider.add_span_processor(TailraceSpanProcessor(journal.client))
            with provider.get_tracer("agent").start_as_current_span("a", attributes=AGENT):
                pass
            provider.shutdown()
        assert journal.events == []


def test_a_defect_of_the_recorder_never_reaches_the_agent(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with processing() as (tracer, _, journal):

        def broken(*_: object) -> None:
            raise RuntimeError("a defect")

        monkeypatch.setattr(journal, "post", broken)
        with tracer.start_as_current_span("handle", attributes=AGENT):
            tracer.start_span("chat", attributes=LLM).end()
        monkeypatch.undo()
        assert journal.client is not None
        assert journal.client.stats.defects > 0
    assert "could not be recorded" in caplog.text


@pytest.mark.parametrize("attribute", ["gen_ai.input.messages", "llm.input_messages.0.message"])
@pytest.mark.parametrize("value", ["[[[", '[{"role": 7, "parts": {"a": 1}}]', "\ud800", 7, ("a",)])
def test_messages_of_an_impossible_shape_make_a_step_all_the_same(
    attribute: str, value: Any
) -> None:
    with processing() as (tracer, _, journal):
        with tracer.start_as_current_span("handle", attributes=AGENT):
            tracer.start_span("chat", attributes={**LLM, attribute: value}).end()
        assert kinds(journal) == ["run_started", "step_completed", "run_completed"]
        assert journal.client is not None
        assert journal.client.stats.defects == 0


def test_the_exporter_writes_a_trace_when_its_root_has_come() -> None:
    with exporting(SpanOptions(linger_s=0)) as (tracer, _, journal):
        with tracer.start_as_current_span("handle", attributes=AGENT):
            tracer.start_span("chat", attributes=LLM).end()
            assert kinds(journal) == []
        assert kinds(journal) == ["run_started", "step_completed", "run_completed"]


def test_the_exporter_waits_a_little_for_spans_that_end_after_their_root() -> None:
    with exporting(SpanOptions(linger_s=0.3)) as (tracer, exporter, journal):
        root = tracer.start_span("handle", attributes=AGENT)
        child = tracer.start_span("chat", context=trace.set_span_in_context(root), attributes=LLM)
        root.end()
        child.end()
        wait_until(lambda: len(kinds(journal)) == 3, "the trace is written by the clock")
        tracer.start_span("chat", context=trace.set_span_in_context(root)).end()
        assert exporter.stats.late == 1


def test_a_flush_of_the_exporter_does_not_wait_for_late_spans() -> None:
    with exporting(SpanOptions(linger_s=60)) as (tracer, exporter, journal):
        tracer.start_span("handle", attributes=AGENT).end()
        assert exporter.force_flush()
        assert kinds(journal) == ["run_started", "run_completed"]


def test_spans_whose_root_never_comes_are_written_and_say_so() -> None:
    with exporting() as (tracer, exporter, journal):
        root = tracer.start_span("handle", attributes=AGENT)
        context = trace.set_span_in_context(root)
        for _ in range(2):
            tracer.start_span("chat", context=context, attributes=LLM).end()
        exporter.shutdown()
        assert kinds(journal) == ["run_started", *["step_completed"] * 2, "run_completed"]
        last = journal.events[-1]
        assert isinstance(last, RunCompleted)
        assert "root spans of which only children came" in last.not_replayable
        assert last.run.component == "unknown"
    assert (exporter.stats.forced_out, exporter.stats.incomplete_runs) == (1, 1)


def test_the_exporters_buffer_is_bounded_and_throws_nothing_away() -> None:
    with exporting(SpanOptions(max_spans=10)) as (tracer, exporter, journal):
        roots = [tracer.start_span("handle", attributes=AGENT) for _ in range(30)]
        for root in roots:
            context = trace.set_span_in_context(root)
            tracer.start_span("chat", context=context, attributes=LLM).end()
        assert exporter.stats.forced_out == 20
        for root in roots:
            root.end()
    assert exporter.stats.duplicates + exporter.stats.late == 20
    assert len([kind for kind in kinds(journal) if kind == "step_completed"]) == 30


def test_large_spans_count_by_their_size() -> None:
    with exporting(SpanOptions(max_bytes=100_000)) as (tracer, exporter, _):
        root = tracer.start_span("handle", attributes=AGENT)
        context = trace.set_span_in_context(root)
        tracer.start_span("chat", context=context, attributes=LLM | {"x": "y" * 200_000}).end()
        assert exporter.stats.forced_out == 1


def test_spans_that_come_twice_are_taken_once() -> None:
    def build(tracer: Any) -> None:
        with tracer.start_as_current_span("handle", attributes=AGENT):
            tracer.start_span("chat", attributes=LLM).end()

    spans = made(build)
    with memory_journal() as journal:
        exporter = TailraceSpanExporter(journal.client)
        assert exporter.export(spans) is SpanExportResult.SUCCESS
        assert exporter.export(spans[:1]) is SpanExportResult.SUCCESS
        assert exporter.force_flush()
        exporter.export(spans)
        exporter.shutdown()
        assert kinds(journal) == ["run_started", "step_completed", "run_completed"]
        assert exporter.stats.duplicates == 3


def test_after_the_end_spans_are_refused_and_counted() -> None:
    def build(tracer: Any) -> None:
        tracer.start_span("handle", attributes=AGENT).end()

    spans = made(build)
    with memory_journal() as journal:
        exporter = TailraceSpanExporter(journal.client)
        exporter.shutdown()
        exporter.shutdown()
        assert exporter.export(spans) is SpanExportResult.FAILURE
        assert exporter.stats.dropped == 1
        assert journal.events == []


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

    def _keep(self, record: Record | None) -> None:
        if record is not None:
            self.sent.append(record)

    def acknowledge(self, count: int = 1000) -> None:
        while self.sent and count:
            count -= 1
            self.sent.extend(self.ledger.acknowledge((self.sent.pop(0),), 0))


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> SlowJournal:
    journal = SlowJournal()
    monkeypatch.setattr("tailrace.producers.testing.Journal", lambda: journal)
    return journal


def test_a_flush_says_true_only_when_all_is_acknowledged(slow: SlowJournal) -> None:
    with processing() as (tracer, processor, _):
        with tracer.start_as_current_span("handle", attributes=AGENT):
            large = {"gen_ai.input.messages": "x" * 50_000}
            tracer.start_span("chat", attributes=LLM | large).end()
            assert not processor.force_flush(20)
            slow.acknowledge(1)
            assert not processor.force_flush(20)
            slow.acknowledge()
            assert processor.force_flush(20)
        assert not processor.force_flush(20)
        slow.acknowledge()
        assert processor.force_flush(20)
        assert processor.stats.unacknowledged == 3


def test_what_is_still_in_the_queue_is_not_acknowledged(slow: SlowJournal) -> None:
    """An outlet that has taken nothing yet has nothing unacknowledged either."""
    with processing() as (tracer, processor, _):
        slow.taken = False
        with tracer.start_as_current_span("handle", attributes=AGENT):
            tracer.start_span("chat", attributes=LLM).end()
            assert not processor.force_flush(20)
        processor.shutdown(20)


def test_a_record_that_is_lost_makes_a_flush_false(slow: SlowJournal) -> None:
    with processing() as (tracer, processor, _):
        with tracer.start_as_current_span("handle", attributes=AGENT):
            tracer.start_span("chat", attributes=LLM).end()
        slow.sent.extend(slow.ledger.lose(slow.sent.pop(0)))
        slow.acknowledge()
        assert not processor.force_flush(20)
        assert processor.force_flush(20)
