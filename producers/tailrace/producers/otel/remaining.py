"""What a span says beyond what has a field of its own: attributes as text, bounded. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.producers.content.capture import json_of
from tailrace.producers.otel.conversation import MESSAGE_EVENTS
from tailrace.producers.otel.model_use import USE_KEYS
from tailrace.producers.otel.nested import first, items_of
from tailrace.producers.otel.outcome import EXCEPTION, as_it_is

if TYPE_CHECKING:
    from tailrace.producers.otel.outcome import Shown
    from tailrace.producers.otel.span import SpanData

MAX_ATTRIBUTES = 64
MAX_TEXT = 1024
"""Characters kept of one attribute's value."""

_MAX_NAME = 200
_MAX_LISTED = 16
_SESSION = (
    "session.id",
    "gen_ai.conversation.id",
    "traceloop.association.properties.session_id",
    "langfuse.session.id",
    "user.id",
    "enduser.id",
)
_READ = USE_KEYS | {
    "input.value",
    "input.mime_type",
    "output.value",
    "output.mime_type",
    "traceloop.entity.input",
    "traceloop.entity.output",
    "gen_ai.system_instructions",
    "gen_ai.tool.definitions",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "gen_ai.retrieval.documents",
    "gen_ai.retrieval.query.text",
    "pydantic_ai.all_messages",
    "all_messages_events",
    "events",
    "final_result",
    "tool_arguments",
    "tool_response",
    "llm.invocation_parameters",
    "tag.tags",
}
_READ_BELOW = (
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.prompt",
    "gen_ai.completion",
    "gen_ai.request.",
    "llm.input_messages.",
    "llm.output_messages.",
    "llm.prompts.",
    "llm.tools.",
    "llm.request.functions.",
    "retrieval.documents.",
    "embedding.embeddings.",
)


def remaining(span: SpanData, shown: Shown = as_it_is) -> dict[str, str]:
    """Return the attributes that no field holds, as text, and what is known of the span itself.

    Args:
        span: the span.
        shown: makes of a name and a text what may leave the process, before it is cut.
    """
    left = [key for key in sorted(span.attributes) if not _is_read(key)]
    found = {
        key[:_MAX_NAME]: cut(shown(key, whole(span.attributes[key])))
        for key in left[:MAX_ATTRIBUTES]
    }
    events = [event.name for event in span.events if event.name not in MESSAGE_EVENTS | {EXCEPTION}]
    about = {
        "otel.scope": span.scope,
        "otel.span_kind": "" if span.kind == "internal" else span.kind,
        "otel.events": ", ".join(dict.fromkeys(events[:_MAX_LISTED])),
        "otel.links": ", ".join(span.links[:_MAX_LISTED]),
        "otel.dropped_by_limits": str(span.dropped or ""),
        "otel.attributes_left_out": str(len(left[MAX_ATTRIBUTES:]) or ""),
    }
    return found | {key: cut(shown(key, value)) for key, value in about.items() if value}


def session_of(span: SpanData) -> str:
    """Return the session that a span belongs to, else its user; empty when it names none."""
    found = first(span.attributes, *_SESSION)
    return "" if found is None else text(found)


def tags_of(span: SpanData) -> tuple[str, ...]:
    """Return the labels that a span carries."""
    return tuple(text(tag) for tag in items_of(span.attributes.get("tag.tags"))[:_MAX_LISTED])


def text(value: Any) -> str:
    """Return an attribute's value as text, of a long one the beginning."""
    return cut(whole(value))


def whole(value: Any) -> str:
    """Return an attribute's value as text."""
    return value if isinstance(value, str) else json_of(value).decode()


def cut(whole_text: str) -> str:
    """Return a text, of a long one the beginning."""
    if len(whole_text) <= MAX_TEXT:
        return whole_text
    return f"{whole_text[:MAX_TEXT]}… {len(whole_text) - MAX_TEXT} characters left out"


def _is_read(key: str) -> bool:
    return key in _READ or key.startswith(_READ_BELOW)
