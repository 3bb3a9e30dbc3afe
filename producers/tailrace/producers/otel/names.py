"""What components and steps are called. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.producers.otel.nested import first
from tailrace.producers.otel.role import TOOL, role_of

if TYPE_CHECKING:
    from tailrace.producers.otel.span import SpanData

_AGENT = (
    "gen_ai.agent.name",
    "gen_ai.workflow.name",
    "agent.name",
    "traceloop.entity.name",
    "agent_name",
)
_TOOL = ("gen_ai.tool.name", "tool.name", "traceloop.entity.name")
_NAMELESS = "unknown"


def component_name(span: SpanData) -> str:
    """Return the name of the component that a run's root span stands for."""
    found = first(span.attributes, *_AGENT) if role_of(span.attributes).is_run else None
    return str(found or span.name or _NAMELESS)


def step_name(span: SpanData) -> str:
    """Return the name of the step that a span stands for: a tool's own, else the span's."""
    found = first(span.attributes, *_TOOL) if role_of(span.attributes).kind == TOOL else None
    return str(found or span.name or _NAMELESS)
