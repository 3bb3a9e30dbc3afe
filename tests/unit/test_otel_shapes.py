"""Spans are made by other people's code: whatever is in them, they make possible events."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tailrace.producers.content import encode
from tailrace.producers.otel import SpanOptions
from tailrace.producers.otel.messages import messages
from tailrace.producers.otel.model_use import USE_KEYS
from tailrace.producers.otel.reading import DEFECT, read
from tailrace.producers.otel.role import role_of
from tailrace.producers.otel.setting import Setting
from tailrace.producers.otel.span import SpanData, SpanEvent
from tailrace.producers.otel.whole import whole_execution
from tailrace.schemas.events import check
from tailrace.schemas.payloads import ListChain, dumps

TRACE = "0af7651916cd43dd8448eb211c80319c"
TEXT = st.text(max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            TEXT
            | st.sampled_from(
                [
                    "role",
                    "content",
                    "parts",
                    "type",
                    "tool_calls",
                    "function",
                    "arguments",
                    "id",
                    "message",
                    "text",
                    "name",
                    "result",
                    "finish_reason",
                    "args",
                    "kwargs",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
VALUES = (
    st.text(max_size=20)
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.lists(TEXT, max_size=3).map(tuple)
    | JSON.map(json.dumps)
)
KEYS = st.sampled_from(
    [
        *sorted(USE_KEYS),
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.system_instructions",
        "gen_ai.prompt",
        "gen_ai.prompt.0",
        "gen_ai.prompt.0.role",
        "gen_ai.prompt.0.tool_calls.0",
        "gen_ai.completion.0.content",
        "llm.input_messages.0.message.contents.0.message_content",
        "llm.input_messages.0.message.role",
        "llm.output_messages.x.message",
        "llm.tools.0.tool",
        "gen_ai.tool.call.arguments",
        "gen_ai.tool.call.result",
        "gen_ai.tool.definitions",
        "input.value",
        "input.mime_type",
        "output.value",
        "traceloop.entity.input",
        "events",
        "retrieval.documents.0.document",
        "embedding.embeddings.0.embedding.text",
        "tag.tags",
        "session.id",
        "gen_ai.agent.name",
        "gen_ai.tool.name",
        "error.type",
        "final_result",
        "pydantic_ai.all_messages",
        "llm.invocation_parameters",
        "gen_ai.request.stop_sequences",
        "openinference.span.kind",
        "gen_ai.operation.name",
        "traceloop.span.kind",
        "gen_ai.prompt.0",
        "gen_ai.prompt." + "9" * 5000 + ".role",
        "gen_ai.prompt.0" + ".a" * 40,
    ]
)
ATTRIBUTES = st.dictionaries(KEYS, VALUES, max_size=8)
EVENTS = st.builds(
    SpanEvent,
    st.sampled_from(["gen_ai.choice", "gen_ai.user.message", "exception", "gen_ai.content.prompt"])
    | TEXT,
    st.integers(0, 2**63),
    st.dictionaries(
        st.sampled_from(
            ["content", "message", "index", "role", "exception.type", "exception.message"]
        ),
        VALUES,
        max_size=3,
    ),
)
SPANS = st.builds(
    SpanData,
    trace_id=st.just(TRACE),
    span_id=st.just("b7ad6b7169203331"),
    name=TEXT,
    start_ns=st.integers(0, 2**64),
    end_ns=st.integers(0, 2**64),
    attributes=ATTRIBUTES,
    events=st.lists(EVENTS, max_size=3).map(tuple),
    failed=st.booleans(),
)


@given(SPANS)
def test_a_span_of_whatever_content_makes_possible_events(span: SpanData) -> None:
    execution = whole_execution([span], Setting(ListChain(), SpanOptions(all_traces=True)))
    events = [outgoing.event for outgoing in execution.take()]
    assert len(events) == 2
    for event in events:
        assert check(event) == ()
        assert encode.event(event.flatten())


@given(SPANS, st.sampled_from(["llm", "tool", "retrieval", "embedding", "agent"]))
def test_every_shape_can_be_read(span: SpanData, kind: str) -> None:
    found = read(span, kind, Setting(ListChain()))
    assert found.defect == ""
    assert found.attributes is not None
    assert DEFECT not in found.attributes
    assert isinstance(role_of(span.attributes).kind, str)


@given(JSON)
def test_messages_of_whatever_shape_come_to_the_normal_form(value: Any) -> None:
    for message in messages(value):
        assert isinstance(message["role"], str)
        assert message["content"] is None or isinstance(message["content"], (str, list))
        assert set(message) <= {"role", "content", "tool_calls", "tool_call_id", "name"}
        for call in message.get("tool_calls", ()):
            assert isinstance(call["function"]["name"], str)
            assert isinstance(call["function"]["arguments"], str)


WORDS = st.text(min_size=1, max_size=12)
Fields = dict[str, Any]
ARGUMENTS: st.SearchStrategy[Fields] = st.dictionaries(WORDS, st.integers() | WORDS, max_size=2)


def _call(call_id: str, name: str, arguments: Fields) -> Fields:
    function = {"name": name, "arguments": dumps(arguments).decode()}
    return {"id": call_id, "type": "function", "function": function}


def _message(role: str, content: str, call_id: str, calls: list[Fields]) -> Fields:
    if role == "tool":
        return {"role": role, "content": content, "tool_call_id": call_id}
    if role == "assistant" and calls:
        return {"role": role, "content": None, "tool_calls": calls}
    return {"role": role, "content": content}


NORMAL = st.builds(
    _message,
    st.sampled_from(["system", "user", "assistant", "tool"]),
    WORDS,
    WORDS,
    st.lists(st.builds(_call, WORDS, WORDS, ARGUMENTS), max_size=2),
)


@given(st.lists(NORMAL, max_size=4))
def test_what_is_in_the_normal_form_stays_as_it_is(conversation: list[dict[str, Any]]) -> None:
    assert messages(conversation) == conversation
