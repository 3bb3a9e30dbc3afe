"""What a model call used: taken from a client's response object by its shape, or told by hand.

OpenAI's, Anthropic's and LiteLLM's responses, and the chunks of their streams, are read without
importing any of them; a plain dict of the same shape serves as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tailrace.producers.redaction import Redaction

_FIELDS = (
    "provider",
    "model",
    "finish_reason",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cost_usd",
)


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
    cache_write_tokens: int | None = None
    """Of the tokens read, those that the provider put into its cache: they have their own price."""

    def take(self, told: Usage) -> None:
        """Take over what is known there."""
        for name in self.__slots__:
            value = getattr(told, name)
            if value is not None and value != "":
                setattr(self, name, value)

    def fields(self, redaction: Redaction | None = None) -> dict[str, Any]:
        """Return it under the names of the wide event, redacted."""
        fields = {name: getattr(self, name) for name in _FIELDS}
        if redaction is not None:
            texts = {name: value for name, value in fields.items() if isinstance(value, str)}
            fields |= {name: redaction.text(name, text) for name, text in texts.items()}
        return fields


class StreamedUsage:
    """What the chunks of a stream say together: the model first, the tokens and the reason last."""

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found: Usage | None = None

    def add(self, chunk: Any) -> bool:
        """Learn from a chunk; say whether it brings something of the answer. Never raises."""
        try:
            self._learn(chunk)
            return carries_content(chunk)
        except Exception:  # noqa: BLE001 - any code of the chunk's class may run here
            return True

    def _learn(self, chunk: Any) -> None:
        told = usage_of(_get(chunk, "message")) or usage_of(_get(chunk, "response"))
        told = told or usage_of(chunk) or _delta(chunk)
        if told is None:
            return
        if self.found is None:
            self.found = told
            return
        if told.provider == "anthropic" and not told.model:
            # The last event counts what was written; what was read it need not repeat.
            told.input_tokens = told.cached_tokens = told.cache_write_tokens = None
        if self.found.provider and not told.model:
            told.provider = ""
        self.found.take(told)


def carries_content(chunk: Any) -> bool:
    """Say whether a chunk brings something of the answer, and not only news of the stream."""
    kind = _get(chunk, "type")
    if isinstance(kind, str):
        return kind.endswith("delta") and kind != "message_delta"
    choices = _get(chunk, "choices")
    if not isinstance(choices, list):
        return True
    for choice in choices:  # pyright: ignore[reportUnknownVariableType] - theirs
        delta = _get(choice, "delta")
        if any(_get(delta, name) for name in ("content", "tool_calls", "refusal")):
            return True
    return False


def usage_of(response: Any) -> Usage | None:
    """Return what a response says of its own cost; None when it does not look like one."""
    if response is None:
        return None
    used = _get(response, "usage")
    if used is None:
        return None
    if _count(_get(used, "prompt_tokens")) is not None:
        return _chat_completion(response, used)
    counts = (_get(used, "input_tokens"), _get(used, "output_tokens"))
    if any(_count(each) is not None for each in counts):
        return _messages_or_responses(response, used)
    return None


def _delta(chunk: Any) -> Usage | None:
    """Read a chunk of OpenAI's chat completions that says no usage: the model, and why it ended."""
    choices = _get(chunk, "choices")
    if not isinstance(choices, list) or _get(chunk, "object") != "chat.completion.chunk":
        return None
    return Usage(
        provider=_provider(chunk), model=_text(_get(chunk, "model")), finish_reason=_reason(choices)
    )


def _chat_completion(response: Any, used: Any) -> Usage:
    """OpenAI's chat completions, and LiteLLM's."""
    details = _get(used, "prompt_tokens_details")
    hidden = _get(response, "_hidden_params")
    cost = _get(hidden, "response_cost")
    return Usage(
        provider=_provider(response),
        model=_text(_get(response, "model")),
        finish_reason=_reason(_get(response, "choices")),
        input_tokens=_count(_get(used, "prompt_tokens")),
        output_tokens=_count(_get(used, "completion_tokens")),
        cached_tokens=_count(_get(details, "cached_tokens")),
        cost_usd=float(cost) if isinstance(cost, (int, float)) else None,
        cache_write_tokens=_count(_get(used, "cache_creation_input_tokens")),
    )


def _provider(response: Any) -> str:
    """Return who served a chat completion; LiteLLM says so, others are of OpenAI's make."""
    return _text(_get(_get(response, "_hidden_params"), "custom_llm_provider")) or "openai"


def _reason(choices: Any) -> str:
    first = choices[0] if isinstance(choices, list) and choices else None  # pyright: ignore[reportUnknownVariableType] - theirs
    return _text(_get(first, "finish_reason"))


def _messages_or_responses(response: Any, used: Any) -> Usage:
    """Anthropic's messages, which count cached tokens apart, and OpenAI's responses."""
    details = _get(used, "input_tokens_details")
    read = _count(_get(used, "input_tokens"))
    cached = _count(_get(used, "cache_read_input_tokens"))
    written = None
    if details is not None or _get(response, "object") == "response":
        provider, cached, total = "openai", _count(_get(details, "cached_tokens")), read
    else:
        written = _count(_get(used, "cache_creation_input_tokens"))
        provider, total = "anthropic", read
        if read is not None:
            total = read + (cached or 0) + (written or 0)
    stopped = _get(response, "stop_reason") or _get(response, "status")
    return Usage(
        provider=provider,
        model=_text(_get(response, "model")),
        finish_reason=_text(stopped or _get(_get(response, "delta"), "stop_reason")),
        input_tokens=total,
        output_tokens=_count(_get(used, "output_tokens")),
        cached_tokens=cached,
        cache_write_tokens=written,
    )


def _get(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return value.get(name)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] - theirs
    try:
        return getattr(value, name, None)
    except Exception:  # noqa: BLE001 - any code of the value's class may run here
        return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
