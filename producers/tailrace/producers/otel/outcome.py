"""How a span ended, and what it says of the error. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.producers.failure import MAX_TEXT

if TYPE_CHECKING:
    from tailrace.producers.otel.span import SpanData

EXCEPTION = "exception"
"""The event that tells of an exception."""


def outcome(span: SpanData) -> str:
    """Return completed, failed or cancelled.

    Only the status decides: an exception that a span tells of without it was handled.
    """
    if not span.failed:
        return "completed"
    name = error_fields(span)["error_type"]
    return "cancelled" if name.rpartition(".")[2] == "CancelledError" else "failed"


def error_fields(span: SpanData) -> dict[str, Any]:
    """Return the error fields of an event; none for a span that did not fail."""
    if not span.failed:
        return {}
    told: dict[str, Any] = {}
    for event in span.events:
        if event.name == EXCEPTION:
            told = dict(event.attributes)
    return {
        "error_type": _text(told.get("exception.type") or span.attributes.get("error.type"))
        or "error",
        "error_message": _text(told.get("exception.message") or span.status_message),
        "error_stack": _text(told.get("exception.stacktrace")),
    }


def _text(value: Any) -> str:
    """Return a text, of a long one the beginning and, where the cause stands, the longer end."""
    text = value if isinstance(value, str) else ""
    if len(text) <= MAX_TEXT:
        return text
    head = MAX_TEXT // 4
    left_out = len(text) - MAX_TEXT
    return f"{text[:head]}\n… {left_out} characters left out …\n{text[head - MAX_TEXT :]}"
