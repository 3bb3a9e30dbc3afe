"""What model calls used, read from the very types of the OpenAI and Anthropic clients.

LiteLLM's are stood in for by their shape: the package is too large to be asked of who develops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from support.journal import only
from tailrace.producers import component, step
from tailrace.producers.content.usage import StreamedUsage, Usage, carries_content, usage_of
from tailrace.producers.prices import Price
from tailrace.producers.testing import memory_journal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CHAT_USAGE = {
    "prompt_tokens": 120,
    "completion_tokens": 30,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 100},
}
CHAT = ChatCompletion.model_validate(
    {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-x-2026-01-01",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "Sent."},
            }
        ],
        "usage": CHAT_USAGE,
    }
)
RESPONSE: dict[str, Any] = {
    "id": "r1",
    "object": "response",
    "created_at": 1,
    "model": "gpt-x",
    "status": "completed",
    "output": [],
    "parallel_tool_calls": False,
    "tool_choice": "auto",
    "tools": [],
    "usage": {
        "input_tokens": 120,
        "input_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 0},
        "output_tokens": 30,
        "output_tokens_details": {"reasoning_tokens": 10},
        "total_tokens": 150,
    },
}
MESSAGE: dict[str, Any] = {
    "id": "m1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [{"type": "text", "text": "Sent."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 15,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 5,
        "output_tokens": 30,
    },
}


def chunk(delta: dict[str, Any], reason: str | None = None, **more: Any) -> Any:
    return ChatCompletionChunk.model_validate(
        {
            "id": "c1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "gpt-x-2026-01-01",
            "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
            **more,
        }
    )


def chat_chunks() -> list[Any]:
    return [
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "Sent"}),
        chunk({"content": "."}),
        chunk({}, "stop"),
        chunk({}, choices=[], usage=CHAT_USAGE),
    ]


def message_events() -> list[Any]:
    events: list[dict[str, Any]] = [
        {
            "type": "message_start",
            "message": {
                **MESSAGE,
                "content": [],
                "stop_reason": None,
                "usage": {**MESSAGE["usage"], "output_tokens": 1},
            },
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "Sent."},
        },
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 30},
        },
        {"type": "message_stop"},
    ]
    adapter: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
    return [adapter.validate_python(event) for event in events]


def response_events() -> list[Any]:
    adapter: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
    started = {**RESPONSE, "status": "in_progress", "usage": None}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "sequence_number": 0, "response": started},
        {
            "type": "response.output_text.delta",
            "sequence_number": 1,
            "item_id": "i",
            "output_index": 0,
            "content_index": 0,
            "delta": "Sent.",
            "logprobs": [],
        },
        {"type": "response.completed", "sequence_number": 2, "response": RESPONSE},
    ]
    return [adapter.validate_python(event) for event in events]


OPENAI_CHAT = Usage("openai", "gpt-x-2026-01-01", "stop", 120, 30, 100)
OPENAI_RESPONSE = Usage("openai", "gpt-x", "completed", 120, 30, 100)
ANTHROPIC = Usage("anthropic", "claude-x", "end_turn", 120, 30, 100, None, 5)


def test_responses_of_the_clients_are_read() -> None:
    assert usage_of(CHAT) == OPENAI_CHAT
    assert usage_of(Response.model_validate(RESPONSE)) == OPENAI_RESPONSE
    assert usage_of(Message.model_validate(MESSAGE)) == ANTHROPIC


@pytest.mark.parametrize(
    ("chunks", "expected", "first"),
    [
        (chat_chunks(), OPENAI_CHAT, 1),
        (message_events(), ANTHROPIC, 2),
        (response_events(), OPENAI_RESPONSE, 1),
    ],
    ids=["openai chat", "anthropic messages", "openai responses"],
)
def test_streams_are_read_chunk_by_chunk(
    chunks: Iterable[Any], expected: Usage, first: int
) -> None:
    streamed = StreamedUsage()
    assert [streamed.add(each) for each in chunks].index(True) == first
    assert streamed.found == expected


def test_a_chunk_of_another_shape_counts_as_content_and_says_nothing() -> None:
    streamed = StreamedUsage()
    assert streamed.add("Sent")
    assert carries_content({"text": "Sent"})
    assert streamed.found is None


def test_a_streamed_call_is_recorded_with_its_usage_cost_and_first_token() -> None:
    @step(kind="llm")
    def ask(question: str) -> Iterator[Any]:
        assert question
        yield from message_events()

    @component
    def run() -> int:
        return len(list(ask("Where is it?")))

    price = Price(input_usd=1.0, output_usd=10.0, cached_usd=0.1, cache_write_usd=2.0)
    with memory_journal(prices={"anthropic/claude-*": price}) as journal:
        assert run() == 6
    event = only(journal, "step_completed")
    assert (event["provider"], event["model"], event["finish_reason"]) == (
        "anthropic",
        "claude-x",
        "end_turn",
    )
    assert (event["input_tokens"], event["output_tokens"], event["cached_tokens"]) == (120, 30, 100)
    assert event["cost_usd"] == pytest.approx((15 * 1.0 + 100 * 0.1 + 5 * 2.0 + 30 * 10.0) / 1e6)
    assert 0 <= event["first_item_us"] <= event["duration_us"]
    assert only(journal, "run_completed")["run_cost_usd"] == event["cost_usd"]
