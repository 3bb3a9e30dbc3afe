"""A span as this package reads it: plain values, taken from the SDK's objects in one place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import StatusCode, format_span_id, format_trace_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk.trace import ReadableSpan


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """Something that a span says happened in it."""

    name: str
    time_ns: int = 0
    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class SpanData:
    """One span; times in nanoseconds since the epoch."""

    trace_id: str
    """32 hex digits."""

    span_id: str
    """16 hex digits."""

    name: str = ""
    parent_id: str = ""
    """The parent's span id; empty when it has none."""

    parent_is_remote: bool = False
    """Whether the parent is a span of another process."""

    start_ns: int = 0
    end_ns: int = 0
    """0 while it runs."""

    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    events: tuple[SpanEvent, ...] = ()
    links: tuple[str, ...] = ()
    """Spans that it is linked with, each as `trace id:span id`."""

    failed: bool = False
    """Whether its status is an error."""

    status_message: str = ""
    kind: str = "internal"
    scope: str = ""
    """The instrumentation that made it, with its version."""

    service: str = ""
    trace_flags: int = 1
    trace_state: str = ""
    dropped: int = 0
    """Attributes, events and links that the SDK's limits threw away."""

    is_missing: bool = False
    """Whether only its children are known, and the rest is concluded from them."""

    @property
    def is_local_root(self) -> bool:
        """Whether it has no parent in this process."""
        return not self.parent_id or self.parent_is_remote


def span_data(span: ReadableSpan) -> SpanData:
    """Return an SDK's span as it is now; it may still run."""
    context = span.context
    assert context is not None, "a span that is recorded has a context"
    parent = span.parent
    scope = span.instrumentation_scope
    return SpanData(
        trace_id=format_trace_id(context.trace_id),
        span_id=format_span_id(context.span_id),
        name=span.name,
        parent_id="" if parent is None else format_span_id(parent.span_id),
        parent_is_remote=parent is not None and parent.is_remote,
        start_ns=span.start_time or 0,
        end_ns=span.end_time or 0,
        attributes=dict(span.attributes or {}),
        events=tuple(
            SpanEvent(event.name, event.timestamp, event.attributes or {}) for event in span.events
        ),
        links=tuple(
            f"{format_trace_id(link.context.trace_id)}:{format_span_id(link.context.span_id)}"
            for link in span.links
        ),
        failed=span.status.status_code is StatusCode.ERROR,
        status_message=span.status.description or "",
        kind=span.kind.name.lower(),
        scope="" if scope is None else f"{scope.name} {scope.version or ''}".strip(),
        service=str(span.resource.attributes.get("service.name", "")),
        trace_flags=int(context.trace_flags),
        trace_state=context.trace_state.to_header(),
        dropped=span.dropped_attributes + span.dropped_events + span.dropped_links,
    )
