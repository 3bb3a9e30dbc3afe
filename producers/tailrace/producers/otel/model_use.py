"""What a model call used, in the names that each convention has for it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.producers.content.usage import Usage
from tailrace.producers.otel.conversation import finish_reason
from tailrace.producers.otel.nested import first
from tailrace.producers.otel.role import MODEL_KINDS

if TYPE_CHECKING:
    from tailrace.producers.otel.span import SpanData

_PROVIDER = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "llm.vendor")
_MODEL = (
    "gen_ai.response.model",
    "gen_ai.request.model",
    "llm.response.model_name",
    "llm.model_name",
    "embedding.model_name",
    "llm.request.model_name",
    "reranker.model_name",
)
_INPUT = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
_OUTPUT = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
)
_CACHED = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.details.cache_read_tokens",
    "llm.usage.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read",
)
_CACHE_WRITE = (
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.details.cache_write_tokens",
    "llm.token_count.prompt_details.cache_write",
)
_COST = ("gen_ai.usage.cost", "gen_ai.usage.total_cost", "operation.cost", "llm.cost.total")
_FIRST_TOKEN_EVENTS = {"First Token Stream Event", "gen_ai.content.completion.chunk"}
_FIRST_TOKEN_S = ("gen_ai.response.time_to_first_chunk", "gen_ai.response.time_to_first_token")

USE_KEYS = frozenset(
    {
        *_PROVIDER,
        *_MODEL,
        *_INPUT,
        *_OUTPUT,
        *_CACHED,
        *_CACHE_WRITE,
        *_COST,
        *_FIRST_TOKEN_S,
        "gen_ai.usage.total_tokens",
        "llm.usage.total_tokens",
        "llm.token_count.total",
        "llm.finish_reason",
        "gen_ai.response.finish_reasons",
    }
)
"""The attributes that are read here."""


def model_use(span: SpanData, kind: str) -> Usage | None:
    """Return what a model call used, as far as it says; None for what is no model call."""
    if kind not in MODEL_KINDS:
        return None
    attributes = span.attributes
    return Usage(
        provider=_word(first(attributes, *_PROVIDER)).lower(),
        model=_word(first(attributes, *_MODEL)),
        finish_reason=finish_reason(span),
        input_tokens=_count(first(attributes, *_INPUT)),
        output_tokens=_count(first(attributes, *_OUTPUT)),
        cached_tokens=_count(first(attributes, *_CACHED)),
        cache_write_tokens=_count(first(attributes, *_CACHE_WRITE)),
        cost_usd=_amount(first(attributes, *_COST)),
    )


def first_item_us(span: SpanData) -> int | None:
    """Return microseconds from the start to the first token; None when it is not told."""
    stated = _amount(first(span.attributes, *_FIRST_TOKEN_S))
    if stated is not None:
        found = int(stated * 1_000_000)
    else:
        times = [event.time_ns for event in span.events if event.name in _FIRST_TOKEN_EVENTS]
        if not times:
            return None
        found = (min(times) - span.start_ns) // 1000
    return found if 0 <= found <= (span.end_ns - span.start_ns) // 1000 else None


def _word(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if 0 <= value < 2**53 else None


def _amount(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value)
