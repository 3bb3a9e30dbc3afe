"""The same conversation in every convention, written by hand, comes to one normal form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tailrace.producers.otel.content import given, returned
from tailrace.producers.otel.conversation import finish_reason, said, told
from tailrace.producers.otel.model_use import model_use
from tailrace.producers.otel.role import role_of
from tailrace.producers.otel.span import SpanData, SpanEvent

if TYPE_CHECKING:
    from collections.abc import Mapping

TRACE = "0af7651916cd43dd8448eb211c80319c"

CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "find_order", "arguments": '{"order_id":"A-17"}'},
}
TOLD = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Where is A-17?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "content": '{"state":"sent"}', "tool_call_id": "call_1"},
]
SAID = [{"role": "assistant", "content": "It was sent."}]


def span(
    attributes: Mapping[str, Any], *events: SpanEvent, name: str = "chat", **fields: Any
) -> SpanData:
    return SpanData(TRACE, "b7ad6b7169203331", name, attributes=attributes, events=events, **fields)


CURRENT = span(
    {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "small-model",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.response.model": "small-model-2026",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 41,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 16,
        "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Be kind."}]),
        "gen_ai.input.messages": json.dumps(
            [
                {"role": "user", "parts": [{"type": "text", "content": "Where is A-17?"}]},
                {
                    "role": "assistant",
                    "parts": [
                        {
                            "type": "tool_call",
                            "id": "call_1",
                            "name": "find_order",
                            "arguments": {"order_id": "A-17"},
                        }
                    ],
                },
                {
                    "role": "tool",
                    "parts": [
                        {
                            "type": "tool_call_response",
                            "id": "call_1",
                            "response": {"state": "sent"},
                        }
                    ],
                },
            ]
        ),
        "gen_ai.output.messages": json.dumps(
            [
                {
                    "role": "assistant",
                    "parts": [{"type": "text", "content": "It was sent."}],
                    "finish_reason": "stop",
                }
            ]
        ),
    }
)
# The content in an event of its own instead of in attributes.
DETAILS = span(
    {"gen_ai.operation.name": "chat", "gen_ai.response.finish_reasons": ("stop",)}
    | {
        key: value
        for key, value in CURRENT.attributes.items()
        if key.startswith(("gen_ai.provider", "gen_ai.response.model", "gen_ai.usage"))
    },
    SpanEvent(
        "gen_ai.client.inference.operation.details",
        attributes={
            key: value
            for key, value in CURRENT.attributes.items()
            if key.endswith((".messages", "_instructions"))
        },
    ),
)
EVENTS = span(
    {
        "gen_ai.operation.name": "chat",
        "gen_ai.system": "openai",
        "gen_ai.request.model": "small-model",
        "gen_ai.response.model": "small-model-2026",
        "gen_ai.usage.prompt_tokens": 41,
        "gen_ai.usage.completion_tokens": 7,
        "gen_ai.usage.details.cache_read_tokens": 16,
    },
    SpanEvent("gen_ai.system.message", attributes={"content": "Be kind."}),
    SpanEvent("gen_ai.user.message", attributes={"content": "Where is A-17?"}),
    SpanEvent("gen_ai.assistant.message", attributes={"tool_calls": json.dumps([CALL])}),
    SpanEvent("gen_ai.tool.message", attributes={"content": '{"state":"sent"}', "id": "call_1"}),
    SpanEvent(
        "gen_ai.choice",
        attributes={
            "index": 0,
            "finish_reason": "stop",
            "message": json.dumps({"role": "assistant", "content": "It was sent."}),
        },
    ),
)
INDEXED = span(
    {
        "llm.request.type": "chat",
        "gen_ai.system": "OpenAI",
        "gen_ai.request.model": "small-model",
        "gen_ai.response.model": "small-model-2026",
        "gen_ai.usage.prompt_tokens": 41,
        "gen_ai.usage.completion_tokens": 7,
        "gen_ai.usage.cache_read_input_tokens": 16,
        "llm.usage.total_tokens": 48,
        "gen_ai.prompt.0.role": "system",
        "gen_ai.prompt.0.content": "Be kind.",
        "gen_ai.prompt.1.role": "user",
        "gen_ai.prompt.1.content": "Where is A-17?",
        "gen_ai.prompt.2.role": "assistant",
        "gen_ai.prompt.2.tool_calls.0.id": "call_1",
        "gen_ai.prompt.2.tool_calls.0.name": "find_order",
        "gen_ai.prompt.2.tool_calls.0.arguments": '{"order_id": "A-17"}',
        "gen_ai.prompt.3.role": "tool",
        "gen_ai.prompt.3.content": '{"state":"sent"}',
        "gen_ai.prompt.3.tool_call_id": "call_1",
        "gen_ai.completion.0.role": "assistant",
        "gen_ai.completion.0.content": "It was sent.",
        "gen_ai.completion.0.finish_reason": "stop",
    }
)
OPENINFERENCE = span(
    {
        "openinference.span.kind": "LLM",
        "llm.system": "openai",
        "llm.model_name": "small-model-2026",
        "llm.finish_reason": "stop",
        "llm.token_count.prompt": 41,
        "llm.token_count.completion": 7,
        "llm.token_count.prompt_details.cache_read": 16,
        "llm.invocation_parameters": '{"model": "small-model", "temperature": 0.5}',
        "llm.input_messages.0.message.role": "system",
        "llm.input_messages.0.message.content": "Be kind.",
        "llm.input_messages.1.message.role": "user",
        "llm.input_messages.1.message.contents.0.message_content.type": "text",
        "llm.input_messages.1.message.contents.0.message_content.text": "Where is A-17?",
        "llm.input_messages.2.message.role": "assistant",
        "llm.input_messages.2.message.tool_calls.0.tool_call.id": "call_1",
        "llm.input_messages.2.message.tool_calls.0.tool_call.function.name": "find_order",
        "llm.input_messages.2.message.tool_calls.0.tool_call.function.arguments": (
            '{"order_id": "A-17"}'
        ),
        "llm.input_messages.3.message.role": "tool",
        "llm.input_messages.3.message.content": '{"state":"sent"}',
        "llm.input_messages.3.message.tool_call_id": "call_1",
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.content": "It was sent.",
    }
)
# The oldest form: the conversation as one text of JSON in an event.
CONTENT_EVENTS = span(
    {
        "gen_ai.operation.name": "chat",
        "gen_ai.system": "openai",
        "gen_ai.response.model": "small-model-2026",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.prompt_tokens": 41,
        "gen_ai.usage.completion_tokens": 7,
        "gen_ai.usage.cache_read_input_tokens": 16,
    },
    SpanEvent("gen_ai.content.prompt", attributes={"gen_ai.prompt": json.dumps(TOLD)}),
    SpanEvent("gen_ai.content.completion", attributes={"gen_ai.completion": json.dumps(SAID)}),
)
# Events gathered in one attribute, as pydantic-ai once had them.
EVENTS_IN_ATTRIBUTE = span(
    {
        **EVENTS.attributes,
        "events": json.dumps(
            [
                {"event.name": "gen_ai.system.message", "content": "Be kind.", "role": "system"},
                {"event.name": "gen_ai.user.message", "content": "Where is A-17?"},
                {"event.name": "gen_ai.assistant.message", "tool_calls": [CALL]},
                {
                    "event.name": "gen_ai.tool.message",
                    "content": {"state": "sent"},
                    "id": "call_1",
                    "role": "tool",
                },
                {
                    "event.name": "gen_ai.choice",
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": "It was sent."},
                },
            ]
        ),
    }
)
CONVERSATIONS = {
    "current attributes": CURRENT,
    "current details event": DETAILS,
    "events a message": EVENTS,
    "indexed attributes": INDEXED,
    "openinference": OPENINFERENCE,
    "content events": CONTENT_EVENTS,
    "events in one attribute": EVENTS_IN_ATTRIBUTE,
}
every = pytest.mark.parametrize("sample", CONVERSATIONS.values(), ids=CONVERSATIONS.keys())


@every
def test_every_convention_tells_the_same_messages(sample: SpanData) -> None:
    assert told(sample) == TOLD
    assert said(sample) == SAID
    assert given(sample, "llm")["messages"] == TOLD
    assert returned(sample, "llm") == SAID[0]


@every
def test_every_convention_tells_the_same_use(sample: SpanData) -> None:
    assert role_of(sample.attributes).kind == "llm"
    use = model_use(sample, "llm")
    assert use is not None
    assert (use.provider, use.model) == ("openai", "small-model-2026")
    assert (use.input_tokens, use.output_tokens, use.cached_tokens) == (41, 7, 16)
    assert finish_reason(sample) == use.finish_reason == "stop"


def test_what_the_request_asked_for_is_kept_beside_the_messages() -> None:
    assert given(CURRENT, "llm")["parameters"] == {"temperature": 0.5}
    assert given(OPENINFERENCE, "llm")["parameters"] == {"temperature": 0.5}


def test_several_choices_stay_several() -> None:
    sample = span(
        {
            "gen_ai.completion.0.content": "Yes.",
            "gen_ai.completion.1.content": "No.",
        }
    )
    assert returned(sample, "llm") == [
        {"role": "assistant", "content": "Yes."},
        {"role": "assistant", "content": "No."},
    ]


def test_what_is_no_text_stays_a_part_and_reasoning_is_named() -> None:
    sample = span(
        {
            "gen_ai.output.messages": json.dumps(
                [
                    {
                        "role": "assistant",
                        "parts": [
                            {"type": "reasoning", "content": "Hm."},
                            {"type": "text", "content": "Yes."},
                            {"type": "uri", "uri": "https://example.org/a.png"},
                        ],
                    }
                ]
            )
        }
    )
    assert returned(sample, "llm")["content"] == [
        {"type": "reasoning", "text": "Hm."},
        {"type": "text", "text": "Yes."},
        {"type": "uri", "uri": "https://example.org/a.png"},
    ]


def test_a_text_that_looks_like_json_is_what_somebody_said() -> None:
    sample = span({"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": '[{"a": 1}]'})
    assert told(sample) == [{"role": "user", "content": '[{"a": 1}]'}]
    parts = '[{"type": "text", "text": "Where?"}]'
    sample = span({"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": parts})
    assert told(sample) == [{"role": "user", "content": "Where?"}]
