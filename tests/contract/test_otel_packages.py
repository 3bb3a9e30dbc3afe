"""Real instrumentation packages, real clients, a fake model: what they emit reaches the journal."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest
from openinference.instrumentation import OITracer, TraceConfig, using_session
from openinference.instrumentation.anthropic import AnthropicInstrumentor as OiAnthropic
from openinference.instrumentation.openai import OpenAIInstrumentor as OiOpenAI
from opentelemetry.instrumentation import _semconv
from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor as LlmetryAnthropic
from opentelemetry.instrumentation.openai import OpenAIInstrumentor as LlmetryOpenAI
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor as OfficialOpenAI
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from pydantic_ai import Agent
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from support.model_endpoint import (
    CACHED_TOKENS,
    INPUT_TOKENS,
    MODEL,
    OUTPUT_TOKENS,
    ModelEndpoint,
    Reply,
    model_endpoint,
)
from tailrace.producers.otel import TailraceSpanExporter, TailraceSpanProcessor
from tailrace.producers.testing import Journal, memory_journal

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from tailrace.schemas.events import Event

CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "find_order", "arguments": '{"order_id":"A-17"}'},
}
ASKED = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Where is A-17?"},
]
ANSWERED = [
    *ASKED,
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "content": '{"state":"sent"}', "tool_call_id": "call_1"},
]
PARAMETERS: dict[str, Any] = {"type": "object", "properties": {"order_id": {"type": "string"}}}
SCRIPT = (
    Reply(tool="find_order", arguments={"order_id": "A-17"}),
    "It was sent.",
    "It was sent today.",
    Reply(status=500),
)
# A package's own use of what pydantic wants to do away with; it warns when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:Support for class-based `config` is deprecated")


@pytest.fixture(autouse=True)
def clients_as_they_were() -> Iterator[None]:
    """Take back what an instrumentation leaves wrapped when it is told to go, as OpenLLMetry's."""
    before = [
        (owner, name, value)
        for module_name, module in list(sys.modules.items())
        if module_name.startswith(("openai.resources", "anthropic.resources"))
        for owner in vars(module).values()
        if isinstance(owner, type)
        for name, value in vars(owner).items()
        if callable(value) and not name.startswith("__")
    ]
    yield
    for owner, name, value in before:
        if vars(owner).get(name) is not value:
            setattr(owner, name, value)


@pytest.fixture(autouse=True)
def conventions_are_chosen_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first instrumentation of a process reads OTEL_SEMCONV_STABILITY_OPT_IN for all others."""
    chosen = vars(_semconv)["_OpenTelemetrySemanticConventionStability"]
    monkeypatch.setattr(chosen, "_initialized", False)


@contextmanager
def recorded(**limits: int) -> Generator[tuple[TracerProvider, list[Journal]]]:
    """Record the spans of a provider into memory, once in each form in which spans can come.

    All is written when the block ends. Every form of one instrumentation is fed by one call of it:
    not all of them can be undone.
    """
    with memory_journal() as live, memory_journal() as simple, memory_journal() as batch:
        # What an agent with long conversations sets: the SDK's own limit is 128.
        provider = TracerProvider(span_limits=SpanLimits(**{"max_attributes": 10_000, **limits}))
        provider.add_span_processor(TailraceSpanProcessor(live.client))
        exporter = TailraceSpanExporter(simple.client)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        provider.add_span_processor(BatchSpanProcessor(TailraceSpanExporter(batch.client)))
        journals = [live, simple, batch]
        try:
            yield provider, journals
        finally:
            provider.shutdown()
        assert wide(simple) == wide(batch)
        assert _without_hindsight(simple) == _without_hindsight(live)
        assert all(batch.bodies.items() >= journal.bodies.items() for journal in journals)


def _without_hindsight(journal: Journal) -> list[dict[str, Any]]:
    """Return the events without what a span may only say after its run was announced."""
    later = ("input", "input_digest", "bodies", "attributes")
    return [
        {key: value for key, value in event.items() if event["seq"] or key not in later}
        for event in wide(journal)
    ]


def with_openai(endpoint: ModelEndpoint) -> None:
    """Ask with a tool, answer it, stream, embed, and fail."""
    endpoint.say(*SCRIPT)
    messages: Any = list(ASKED)
    function: Any = {"name": "find_order", "parameters": PARAMETERS}
    tools: Any = [{"type": "function", "function": function}]
    with openai.OpenAI(base_url=endpoint.url + "/v1", api_key="k", max_retries=0) as client:
        completions = client.chat.completions
        reply = completions.create(model="small", messages=messages, tools=tools, temperature=0.5)
        messages.append(reply.choices[0].message.model_dump(exclude_none=True))
        messages.append({"role": "tool", "tool_call_id": "call_1", "content": '{"state":"sent"}'})
        completions.create(model="small", messages=messages)
        streamed = completions.create(
            model="small", messages=messages, stream=True, stream_options={"include_usage": True}
        )
        assert list(streamed)
        client.embeddings.create(model="small-embed", input="hello")
        with pytest.raises(openai.InternalServerError):
            completions.create(model="small", messages=messages)


def wide(journal: Journal) -> list[dict[str, Any]]:
    return [event.flatten() for event in journal.events]


def in_one_run(journal: Journal) -> list[dict[str, Any]]:
    """Assert that there is one whole run of five steps, and return these."""
    first, *steps, last = wide(journal)
    assert {event["run_id"] for event in (first, *steps, last)} == {first["run_id"]}
    assert [event["seq"] for event in (first, *steps, last)] == list(range(7))
    assert (first["kind"], last["kind"], last["last_seq"]) == ("run_started", "run_completed", 6)
    assert last["component"] == "support"
    assert (last["run_steps"], last["run_errors"]) == (5, 1)
    return steps


@pytest.mark.parametrize(
    "package", [OfficialOpenAI, LlmetryOpenAI, OiOpenAI], ids=["official", "llmetry", "oi"]
)
def test_openai_calls_read_the_same_through_every_instrumentation(
    package: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_latest_experimental")
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_ONLY")
    instrumentor = package()
    with model_endpoint() as endpoint, recorded() as (provider, (journal, *_)):
        instrumentor.instrument(tracer_provider=provider)
        try:
            with provider.get_tracer("agent").start_as_current_span("support"):
                with_openai(endpoint)
        finally:
            instrumentor.uninstrument()
    chat, answer, stream, embedding, failed = in_one_run(journal)
    assert [step["step_kind"] for step in (chat, embedding)] == ["llm", "embedding"]
    assert journal.value(chat["input"])["messages"] == ASKED
    assert journal.value(chat["output"])["tool_calls"] == [CALL]
    assert journal.value(answer["input"])["messages"] == ANSWERED
    assert journal.value(answer["output"]) == {"role": "assistant", "content": "It was sent."}
    assert journal.value(stream["output"])["content"] == "It was sent today."
    for step in (chat, answer, stream):
        assert (step["provider"], step["model"]) == ("openai", MODEL)
        assert (step["input_tokens"], step["output_tokens"]) == (INPUT_TOKENS, OUTPUT_TOKENS)
        assert step["step_key"].partition("#")[0] in {
            "chat%20small",
            "openai.chat",
            "ChatCompletion",
        }
    assert journal.value(chat["input"])["parameters"]["temperature"] == 0.5
    if package is not OfficialOpenAI:  # it tells neither cached tokens nor the streamed reason
        assert {step["cached_tokens"] for step in (chat, answer, stream)} == {CACHED_TOKENS}
        assert stream["finish_reason"] == "stop"
        assert journal.value(chat["input"])["tools"][0]["type"] == "function"
        assert journal.value(embedding["input"])
    assert failed["kind"] == "step_failed"
    assert failed["error_type"].rpartition(".")[2] == "InternalServerError"
    assert "the model is out" in failed["error_message"]


def test_the_default_of_the_official_package_tells_no_messages_on_spans(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They go to the logs signal: what is not on a span cannot be in a step."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true")
    monkeypatch.delenv("OTEL_SEMCONV_STABILITY_OPT_IN", raising=False)
    instrumentor = OfficialOpenAI()
    with model_endpoint() as endpoint, recorded() as (provider, (journal, *_)):
        instrumentor.instrument(tracer_provider=provider)
        try:
            with provider.get_tracer("agent").start_as_current_span("support"):
                with_openai(endpoint)
        finally:
            instrumentor.uninstrument()
    chat = in_one_run(journal)[0]
    assert "messages" not in journal.value(chat["input"])
    assert (chat["model"], chat["input_tokens"]) == (MODEL, INPUT_TOKENS)


@pytest.mark.parametrize("package", [LlmetryAnthropic, OiAnthropic], ids=["llmetry", "oi"])
def test_anthropic_calls_read_like_those_of_others(package: type[Any]) -> None:
    instrumentor = package()
    with model_endpoint() as endpoint, recorded() as (provider, (journal, *_)):
        instrumentor.instrument(tracer_provider=provider)
        try:
            with provider.get_tracer("agent").start_as_current_span("support"):
                endpoint.say(*SCRIPT[:2])
                with anthropic.Anthropic(base_url=endpoint.url, api_key="k") as client:
                    asked: Any = [{"role": "user", "content": "Where is A-17?"}]
                    tools: Any = [{"name": "find_order", "input_schema": PARAMETERS}]
                    told: Any = {"model": "small", "max_tokens": 9, "system": "Be kind."}
                    create: Any = client.messages.create
                    reply = create(**told, messages=asked, tools=tools)
                    result = {"type": "tool_result", "tool_use_id": "call_1"}
                    asked.append({"role": "assistant", "content": reply.model_dump()["content"]})
                    asked.append(
                        {"role": "user", "content": [{**result, "content": '{"state":"sent"}'}]}
                    )
                    create(**told, messages=asked)
        finally:
            instrumentor.uninstrument()
    _, chat, answer, last = wide(journal)
    assert journal.value(chat["input"])["messages"] == ASKED
    assert journal.value(chat["output"])["tool_calls"] == [CALL]
    assert journal.value(answer["input"])["messages"] == ANSWERED
    assert journal.value(answer["output"])["content"] == "It was sent."
    assert (chat["provider"], chat["model"]) == ("anthropic", MODEL)
    assert (chat["input_tokens"], chat["cached_tokens"]) == (INPUT_TOKENS, CACHED_TOKENS)
    assert last["run_output_tokens"] == 2 * OUTPUT_TOKENS


def test_an_agent_of_pydantic_ai_is_a_run_with_its_tools() -> None:
    with model_endpoint() as endpoint, recorded() as (provider, (journal, *_)):
        endpoint.say(*SCRIPT[:2])
        settings = InstrumentationSettings(tracer_provider=provider)
        Agent.instrument_all(settings)
        try:
            answer = asyncio.run(_support(endpoint.url))
        finally:
            Agent.instrument_all(instrument=False)
    assert answer == "It was sent."
    first, chat, tool, second, last = wide(journal)
    assert (first["component"], first["kind"]) == ("support", "run_started")
    assert first["session"]
    assert [step["step_key"] for step in (chat, tool, second)] == [
        "chat%20small#0",
        "find_order#0",
        "chat%20small#1",
    ]
    assert (tool["step_kind"], tool["effect"]) == ("tool", "write")
    assert journal.value(tool["input"]) == {"order_id": "A-17"}
    assert journal.value(tool["output"]) == {"state": "sent"}
    assert journal.value(second["input"])["messages"] == ANSWERED
    assert journal.value(last["input"]) == {"messages": ASKED}
    assert journal.value(last["output"]) == "It was sent."
    assert last["run_input_tokens"] == 2 * INPUT_TOKENS


def test_functions_that_openinference_decorates_are_runs_and_steps() -> None:
    with recorded() as (provider, (journal, *_)):
        tracer: Any = OITracer(provider.get_tracer("agent"), config=TraceConfig())

        @tracer.tool(name="find_order")
        def find_order(order_id: str) -> dict[str, str]:
            return {"state": f"{order_id} was sent"}

        @tracer.agent(name="support")
        def support(question: str) -> str:
            return find_order(order_id=question)["state"]

        assert support("A-17") == "A-17 was sent"
    first, tool, last = wide(journal)
    assert first["component"] == "support"
    assert (tool["step_key"], tool["step_kind"]) == ("find_order#0", "tool")
    assert journal.value(tool["input"]) == {"order_id": "A-17"}
    assert journal.value(tool["output"]) == {"state": "A-17 was sent"}
    assert journal.value(last["output"]) == "A-17 was sent"


async def _support(url: str) -> str:
    async with openai.AsyncOpenAI(base_url=url + "/v1", api_key="k", max_retries=0) as client:
        model = OpenAIChatModel("small", provider=OpenAIProvider(openai_client=client))
        agent: Any = Agent(model, name="support", instructions="Be kind.")

        @agent.tool_plain
        def find_order(order_id: str) -> dict[str, str]:
            assert order_id == "A-17"
            return {"state": "sent"}

        del find_order
        result = await agent.run("Where is A-17?")
        return str(result.output)


def test_what_the_sdks_limit_on_attributes_took_away_is_said() -> None:
    """128 attributes unless told otherwise, and a message of this convention is two of them."""
    long: Any = [{"role": "user", "content": f"message {n}"} for n in range(100)]
    instrumentor = OiOpenAI()
    with model_endpoint() as endpoint, recorded(max_attributes=128) as (provider, (journal, *_)):
        instrumentor.instrument(tracer_provider=provider)
        try:
            with (
                openai.OpenAI(base_url=endpoint.url + "/v1", api_key="k") as client,
                provider.get_tracer("agent").start_as_current_span("support"),
                using_session("s1"),
            ):
                client.chat.completions.create(model="small", messages=long)
        finally:
            instrumentor.uninstrument()
    _, chat, last = wide(journal)
    kept = journal.value(chat["input"])["messages"]
    assert kept == long[-len(kept) :] != long
    assert int(chat["attributes"]["otel.dropped_by_limits"]) > 0
    assert "dropped by the SDK's limits" in last["not_replayable"]


def test_a_conversation_of_spans_is_a_chain() -> None:
    """Each turn's span repeats everything that was said; the journal does not."""
    said: Any = [{"role": "user", "content": "x" * 1000}]
    instrumentor = LlmetryOpenAI()
    with model_endpoint() as endpoint, recorded() as (provider, (journal, *_)):
        instrumentor.instrument(tracer_provider=provider)
        try:
            with (
                openai.OpenAI(base_url=endpoint.url + "/v1", api_key="k") as client,
                provider.get_tracer("agent").start_as_current_span("support"),
            ):
                for turn in range(30):
                    client.chat.completions.create(model="small", messages=said)
                    said.append({"role": "assistant", "content": "Hello."})
                    said.append({"role": "user", "content": f"{turn} " + "x" * 1000})
        finally:
            instrumentor.uninstrument()
    steps: list[Event] = journal.events[1:-1]
    whole = sum(len(json.dumps(journal.value(step.flatten()["input"]))) for step in steps)
    kept = sum(len(body) for body in journal.bodies.values())
    assert len(steps) == 30
    assert len(journal.value(steps[-1].flatten()["input"])["messages"]) == 59
    assert kept < whole / 10
