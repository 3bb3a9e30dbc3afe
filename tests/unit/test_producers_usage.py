"""What a model call used, read from responses by their shape alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tailrace.producers.content.usage import Usage, usage_of


def plain(value: Any) -> Any:
    """The same response as an object with attributes, as the clients return it."""
    if isinstance(value, dict):
        return SimpleNamespace(**{key: plain(item) for key, item in value.items()})  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - literals below
    return [plain(item) for item in value] if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType] - likewise


CHAT = {
    "model": "gpt-4o",
    "choices": [{"finish_reason": "tool_calls"}],
    "usage": {
        "prompt_tokens": 12,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 8},
    },
}
MESSAGES = {
    "model": "claude",
    "stop_reason": "end_turn",
    "usage": {
        "input_tokens": 2,
        "cache_read_input_tokens": 7,
        "cache_creation_input_tokens": 3,
        "output_tokens": 5,
    },
}
RESPONSES = {
    "object": "response",
    "model": "gpt-5",
    "status": "completed",
    "usage": {
        "input_tokens": 12,
        "input_tokens_details": {"cached_tokens": 8},
        "output_tokens": 5,
    },
}
LITELLM = {**CHAT, "_hidden_params": {"custom_llm_provider": "groq"}}


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (CHAT, Usage("openai", "gpt-4o", "tool_calls", 12, 5, 8)),
        (MESSAGES, Usage("anthropic", "claude", "end_turn", 12, 5, 7, None, 3)),
        (RESPONSES, Usage("openai", "gpt-5", "completed", 12, 5, 8)),
        (LITELLM, Usage("groq", "gpt-4o", "tool_calls", 12, 5, 8)),
    ],
)
def test_usage_is_read_from_objects_and_from_dicts(
    response: dict[str, Any], expected: Usage
) -> None:
    assert usage_of(response) == expected
    assert usage_of(plain(response)) == expected


@pytest.mark.parametrize("response", [None, "text", {"usage": {}}, {"usage": None}, [1], object()])
def test_what_is_no_response_has_no_usage(response: Any) -> None:
    assert usage_of(response) is None


def test_counts_of_another_type_are_unknown() -> None:
    assert usage_of({"usage": {"prompt_tokens": "12", "output_tokens": True}}) is None
    found = usage_of({"usage": {"prompt_tokens": 12, "completion_tokens": True}})
    assert found == Usage(provider="openai", input_tokens=12)


def test_what_was_told_stands_above_what_was_read() -> None:
    usage = Usage("openai", "m", "stop", 1, 2, 3)
    usage.take(Usage(provider="ours", input_tokens=0))
    assert usage == Usage("ours", "m", "stop", 0, 2, 3)
