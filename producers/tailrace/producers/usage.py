"""What a model call used: taken from a client's response object by its shape, or told by hand.

OpenAI's, Anthropic's and LiteLLM's responses are read without importing any of them; a plain dict
of the same shape serves as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Usage:
    """What is known of a model call; None or empty where it is not."""

    provider: str = ""
    model: str = ""
    finish_reason: str = ""
    input_tokens: int | None = None
    """Tokens read, cached ones included."""

    output_tokens: int | None = None
    cached_tokens: int | None = None
    cost_usd: float | None = None

    def take(self, told: Usage) -> None:
        """Take over what is known there."""
        for name in self.__slots__:
            value = getattr(told, name)
            if value not in {None, ""}:
                setattr(self, name, value)

    def fields(self) -> dict[str, Any]:
        """Return it under the names of the wide event."""
        return {name: getattr(self, name) for name in self.__slots__}


def usage_of(response: Any) -> Usage | None:
    """Return what a response says of its own cost; None when it does not look like one."""
    used = _get(response, "usage")
    if used is None:
        return None
    if _get(used, "prompt_tokens") is not None:
        return _chat_completion(response, used)
    if _get(used, "input_tokens") is not None:
        return _messages_or_responses(response, used)
    return None


def _chat_completion(response: Any, used: Any) -> Usage:
    """OpenAI's chat completions, and LiteLLM's."""
    details = _get(used, "prompt_tokens_details")
    choices = _get(response, "choices")
    first = choices[0] if isinstance(choices, list) and choices else None  # pyright: ignore[reportUnknownVariableType] - theirs
    return Usage(
        provider=_text(_get(_get(response, "_hidden_params"), "custom_llm_provider")) or "openai",
        model=_text(_get(response, "model")),
        finish_reason=_text(_get(first, "finish_reason")),
        input_tokens=_count(_get(used, "prompt_tokens")),
        output_tokens=_count(_get(used, "completion_tokens")),
        cached_tokens=_count(_get(details, "cached_tokens")),
    )


def _messages_or_responses(response: Any, used: Any) -> Usage:
    """Anthropic's messages, which count cached tokens apart, and OpenAI's responses."""
    details = _get(used, "input_tokens_details")
    read = _count(_get(used, "input_tokens"))
    cached = _count(_get(used, "cache_read_input_tokens"))
    if details is not None or _get(response, "object") == "response":
        provider, cached, total = "openai", _count(_get(details, "cached_tokens")), read
    else:
        written = _count(_get(used, "cache_creation_input_tokens"))
        provider, total = "anthropic", (read or 0) + (cached or 0) + (written or 0)
    return Usage(
        provider=provider,
        model=_text(_get(response, "model")),
        finish_reason=_text(_get(response, "stop_reason") or _get(response, "status")),
        input_tokens=total,
        output_tokens=_count(_get(used, "output_tokens")),
        cached_tokens=cached,
    )


def _get(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return value.get(name)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] - theirs
    return getattr(value, name, None)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
