"""The processor on the SDK's own spans, with a journal in memory."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, TraceIdRatioBased

from support.span_recording import AGENT, LLM, kinds, processing
from support.waiting import wait_until
from tailrace.producers.otel import SpanOptions, TailraceSpanProcessor
from tailrace.producers.prices import Price
from tailrace.producers.redaction import READY
from tailrace.producers.testing import memory_journal
from tailrace.schemas.events import RunCompleted


def test_a_run_is_announced_with_what_was_said_just_after_its_start() -> None:
    with processing(SpanOptions(announce_after_s=60)) as (tracer, processor, journal):
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


def test_what_a_span_is_may_be_said_just_after_its_start() -> None:
    """OpenLLMetry's decorators do so."""
    with processing() as (tracer, _, journal):
        with (
            tracer.start_as_current_span("handle", attributes=AGENT),
            tracer.start_as_current_span("refunds.agent") as inner,
        ):
            inner.set_attribute("traceloop.span.kind", "agent")
            inner.set_attribute("traceloop.entity.name", "refunds")
            tracer.start_span("chat", attributes=LLM).end()
        root, child = (
            [event for event in journal.events if event.run.component == name]
            for name in ("support", "refunds")
        )
        assert [event.kind for event in root] == ["run_started", "run_completed"]
        assert [event.seq for event in child] == [0, 1, 2]


def test_several_local_roots_of_one_trace_are_executions_of_their_own() -> None:
    """Another service calls this one twice while it works on one thing."""
    remote = trace.SpanContext(
        0xAF7651916CD43DD8448EB211C80319C, 7, is_remote=True, trace_flags=trace.TraceFlags(1)
    )
    context = trace.set_span_in_context(trace.NonRecordingSpan(remote))
    with processing() as (tracer, processor, journal):
        first, second = (
            tracer.start_span("handle", context=context, attributes=AGENT) for _ in range(2)
        )
        for root in (second, first):
            tracer.start_span("chat", context=trace.set_span_in_context(root), attributes=LLM).end()
            root.end()
        events = journal.events
        assert len({event.run.trace_id for event in events}) == 1
        assert len({event.run.root_run_id for event in events}) == 2
        assert [event.seq for event in events] == [0, 1, 2] * 2
        assert processor.stats.incomplete_runs == 0


def test_too_many_spans_of_one_run_are_left_out_and_said() -> None:
    with processing(SpanOptions(max_spans=4)) as (tracer, processor, journal):
        with tracer.start_as_current_span("handle", attributes=AGENT):
            for _ in range(10):
                tracer.start_span("chat", attributes=LLM).end()
        last = journal.events[-1]
        assert isinstance(last, RunCompleted)
        assert "7 spans left out" in last.not_replayable
        assert (last.run_steps, processor.stats.dropped) == (3, 7)


def test_an_execution_of_which_nothing_is_heard_is_forgotten() -> None:
    with processing(SpanOptions(max_age_s=0.1)) as (tracer, processor, journal):
        root = tracer.start_span("handle", attributes=AGENT)
        context = trace.set_span_in_context(root)
        tracer.start_span("chat", context=context, attributes=LLM).end()
        wait_until(lambda: processor.stats.abandoned == 1, "the execution is forgotten")
        tracer.start_span("chat", context=context, attributes=LLM).end()
        assert kinds(journal) == ["run_started", "step_completed"]
        assert processor.stats.late == 1


def test_nothing_that_the_clients_rules_cover_leaves_the_process() -> None:
    address = "zoe@example.org"
    message = f'[{{"role": "user", "parts": [{{"type": "text", "content": "I am {address}"}}]}}]'
    everywhere = {
        "session.id": address,
        "tag.tags": (address,),
        "input.value": address,
        "output.value": address,
        "gen_ai.input.messages": message,
        "gen_ai.output.messages": message,
        "gen_ai.response.model": address,
        "my.attribute": "x" * 1020 + " " + address,
        "gen_ai.tool.call.arguments": f'{{"to": "{address}"}}',
        "gen_ai.tool.call.result": address,
    }
    with processing(redact=READY) as (tracer, _, journal):
        with tracer.start_as_current_span(address, attributes=AGENT | everywhere):
            tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": address}
            tracer.start_span(address, attributes=tool | everywhere).end()
            with (
                contextlib.suppress(ValueError),
                tracer.start_as_current_span(address, attributes=LLM | everywhere),
            ):
                raise ValueError("x" * 4090 + " " + address + " " + "y" * 20_000)
        assert kinds(journal)[1:3] == ["step_completed", "step_failed"]
        # Not even a part of it, where a long text is cut.
        assert not [record for record in journal.log if b"zoe" in record.value]
        assert journal.events[-1].run.session == "[redacted: e-mail]"


def test_what_a_call_costs_is_taken_from_the_clients_prices() -> None:
    used = {"gen_ai.request.model": "small", "gen_ai.usage.input_tokens": 1_000_000}
    told = {**LLM, **used, "gen_ai.usage.output_tokens": 500_000}
    with processing(prices={"small": Price(2.0, 4.0)}) as (tracer, _, journal):
        with tracer.start_as_current_span("handle", attributes=AGENT):
            tracer.start_span("chat", attributes=told).end()
            tracer.start_span("chat", attributes={**told, "gen_ai.usage.cost": 1.5}).end()
        costs = [event.flatten()["cost_usd"] for event in journal.events[1:3]]
        assert costs == [4.0, 1.5]
