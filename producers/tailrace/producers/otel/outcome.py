"""How a span ended, and what it says of the error. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.producers.content.failure import MAX_TEXT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.producers.otel.span import SpanData

    Shown = Callable[[str, str], str]
    """Makes of a field's name and a text what may leave the process."""

EXCEPTION = "exception"
"""The event that tells of an exception."""


def as_it_is(_: str, text: str) -> str:
    """Take nothing out."""
    return text


def outcome(span: SpanData) -> str:
    """Return completed, failed or cancelled.

    Only the status decides: an exception that a span tells of without it was handled.
    """
    if not span.failed:
        return "completed"
    name = error_fields(span)["error_type"]
    return "cancelled" if name.rpartition(".")[2] == "CancelledError" else "failed"


def error_fields(span: SpanData, shown: Shown = as_it_is) -> dict[str, Any]:
    """Return the error fields of an event; none for a span that did not fail."""
    if not span.failed:
        return {}
    told: dict[str, Any] = {}
    for event in span.events:
        if event.name == EXCEPTION:
            told = dict(event.attributes)
    texts = {
        "error_type": told.get("exception.type") or span.attributes.get("error.type") or "error",
        "error_message": told.get("exception.message") or span.status_message,
        "error_stack": told.get("exception.stacktrace"),
    }
    return {
        name: _cut(shown(name, text)) if isinstance(text, str) else ""
        for name, text in texts.items()
    }


def _cut(text: str) -> str:
    """Return a text, of a long one the beginning and, where the cause stands, the longer end."""
    if len(text) <= MAX_TEXT:
        return text
    head = MAX_TEXT // 4
    left_out = len(text) - MAX_TEXT
    return f"{text[:head]}\n… {left_out} characters left out …\n{text[head - MAX_TEXT :]}"
