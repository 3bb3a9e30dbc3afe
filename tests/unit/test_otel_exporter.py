"""The exporter on the SDK's own spans, with a journal in memory; and what a flush says."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.export import SpanExportResult

from support.span_recording import AGENT, LLM, SlowJournal, exporting, kinds, made, processing
from support.waiting import wait_until
from tailrace.producers.otel import SpanOptions, TailraceSpanExporter
from tailrace.producers.testing import memory_journal
from tailrace.schemas.events import RunCompleted


def test_the_exporter_writes_a_trace_when_its_root_has_come() -> None:
    with exporting(SpanOptions(linger_s=0)) as (tracer, _, journal):
        with tracer.start_as_current_span("handle", attributes=AGENT):
            tracer.start_span("chat", attributes=LLM).end()
            assert kinds(journal) == []
        assert kinds(journal) == ["run_started", "step_completed", "run_completed"]


def test_the_exporter_waits_a_little_for_spans_that_end_after_their_root() -> None:
    with exporting(SpanOptions(linger_s=1)) as (tracer, exporter, journal):
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
