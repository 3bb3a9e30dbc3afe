"""Spans of a real provider on a real broker: the journal read back is what the agents did."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from support.journal import assert_whole, read_bodies, read_events, runs_of
from support.model_endpoint import INPUT_TOKENS, model_endpoint
from tailrace.producers import Tailrace
from tailrace.producers.otel import NOT_REPLAYABLE, TailraceSpanExporter, TailraceSpanProcessor
from tailrace.producers.otel.run_state import run_id_of
from tailrace.schemas.payload_reading import resolve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import SpanProcessor

_THREADS = 4
_RUNS = 25
AGENT = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "support"}
TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "find_order"}


def _work(tracer: Any, url: str, made: list[str]) -> None:
    """Run agents one after the other, each with a tool, a model call and an agent within it."""
    with openai.OpenAI(base_url=url + "/v1", api_key="k", max_retries=0) as client:
        for number in range(_RUNS):
            with tracer.start_as_current_span("handle", attributes=AGENT) as root:
                root.set_attribute("session.id", f"s{number}")
                with tracer.start_as_current_span("tool", attributes=TOOL) as tool:
                    tool.set_attribute("gen_ai.tool.call.arguments", f'{{"order_id": {number}}}')
                    tool.set_attribute("gen_ai.tool.call.result", "x" * 9000)
                inner = {**AGENT, "gen_ai.agent.name": "refunds"}
                with tracer.start_as_current_span("inner", attributes=inner):
                    client.chat.completions.create(
                        model="small", messages=[{"role": "user", "content": f"message {number}"}]
                    )
            context = root.get_span_context()
            made.append(run_id_of(f"{context.trace_id:032x}", f"{context.span_id:016x}"))


def _fleet(provider: TracerProvider) -> list[str]:
    """Return the ids of the root runs that were made, several at a time."""
    made: list[str] = []
    instrumentor = OpenAIInstrumentor()
    with model_endpoint() as endpoint:
        instrumentor.instrument(tracer_provider=provider)
        try:
            tracer = provider.get_tracer("agent")
            threads = [
                threading.Thread(target=_work, args=(tracer, endpoint.url, made))
                for _ in range(_THREADS)
            ]
            for each in threads:
                each.start()
            for each in threads:
                each.join()
        finally:
            instrumentor.uninstrument()
    return made


@pytest.mark.parametrize("form", ["processor", "batch exporter"])
def test_the_journal_of_a_fleet_is_the_spans_that_it_made(
    form: str, kafka: str, topic_prefix: str
) -> None:
    with Tailrace(kafka, prefix=topic_prefix) as client:
        provider = TracerProvider()
        recorder = TailraceSpanProcessor(client)
        exporter = TailraceSpanExporter(client)
        chosen: SpanProcessor = recorder
        if form != "processor":
            chosen = BatchSpanProcessor(exporter, schedule_delay_millis=100)
        provider.add_span_processor(chosen)
        made = _fleet(provider)
        assert provider.force_flush()
        assert (recorder if form == "processor" else exporter).force_flush()
        events = read_events(kafka, topic_prefix)
        provider.shutdown()
        for one in (recorder, exporter):
            one.shutdown()
        assert client.stats.defects == 0
    assert len(made) == _THREADS * _RUNS
    _assert_fleet(events, made, read_bodies(kafka, topic_prefix))


def _assert_fleet(
    events: Sequence[dict[str, Any]], made: list[str], bodies: dict[str, str]
) -> None:
    assert_whole(events)
    runs = runs_of(events)
    roots = {run_id: run for run_id, run in runs.items() if not run[0]["parent_run_id"]}
    assert set(roots) == set(made)
    assert len(runs) == 2 * len(made)
    for run in roots.values():
        (child_id,) = run[-1]["children"]
        child = runs[child_id]
        assert [event["step_key"] for event in run[1:-1]] == ["find_order#0"]
        assert [event["step_kind"] for event in child[1:-1]] == ["llm"]
        assert child[0]["root_run_id"] == run[0]["run_id"]
        assert (run[0]["component"], child[0]["component"]) == ("support", "refunds")
        number = run[0]["session"][1:]
        assert child[0]["session"] == run[0]["session"]
        assert resolve(run[1]["input"], bodies) == {"order_id": int(number)}
        assert resolve(run[1]["output"], bodies) == "x" * 9000
        asked = resolve(child[1]["input"], bodies)["messages"]
        assert asked == [{"role": "user", "content": f"message {number}"}]
        assert child[-1]["run_input_tokens"] == INPUT_TOKENS
        assert run[-1]["not_replayable"] == NOT_REPLAYABLE


PROGRAM = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from tailrace.producers.otel import TailraceSpanExporter

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(TailraceSpanExporter()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("agent")
with tracer.start_as_current_span("handle", attributes={"gen_ai.operation.name": "invoke_agent"}):
    with tracer.start_as_current_span("chat", attributes={"gen_ai.operation.name": "chat"}):
        pass
"""


def test_a_program_that_just_ends_has_written_all_its_spans(kafka: str, topic_prefix: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        env={"TAILRACE_KAFKA": kafka, "TAILRACE_PREFIX": topic_prefix},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "tailrace:" not in done.stderr, "it said that something was lost"
    events = read_events(kafka, topic_prefix)
    assert_whole(events)
    assert [event["kind"] for event in events] == [
        "run_started",
        "step_completed",
        "run_completed",
    ]


FORKING = """
import os, sys
from opentelemetry.sdk.trace import TracerProvider
from tailrace.producers.otel import TailraceSpanProcessor

agent = {"gen_ai.operation.name": "invoke_agent"}
chat = {"gen_ai.operation.name": "chat"}
provider = TracerProvider()
provider.add_span_processor(TailraceSpanProcessor())
tracer = provider.get_tracer("agent")
with tracer.start_as_current_span("parent", attributes=agent):
    tracer.start_span("before", attributes=chat).end()
    child = os.fork()
    if not child:
        tracer.start_span("in the child", attributes=chat).end()
    else:
        assert os.waitpid(child, 0)[1] == 0
        tracer.start_span("after", attributes=chat).end()
if not child:
    with tracer.start_as_current_span("child", attributes=agent):
        tracer.start_span("chat", attributes=chat).end()
assert provider.force_flush()
provider.shutdown()
os._exit(0)
"""


def test_a_forked_child_records_runs_of_its_own(kafka: str, topic_prefix: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKING],
        env={"TAILRACE_KAFKA": kafka, "TAILRACE_PREFIX": topic_prefix},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    events = read_events(kafka, topic_prefix)
    assert_whole(events)
    runs = {run[0]["component"]: run for run in runs_of(events).values()}
    names = {name: [event["name"] for event in run[1:-1]] for name, run in runs.items()}
    assert names == {"parent": ["before", "after"], "child": ["chat"], "in the child": []}
    assert "parent span is missing" in runs["in the child"][-1]["not_replayable"]
    assert runs["in the child"][0]["trace_id"] == runs["parent"][0]["trace_id"]
