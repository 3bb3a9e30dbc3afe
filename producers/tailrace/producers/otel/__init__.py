"""OpenTelemetry in: spans of agents that are instrumented already become journal events.

Needs the extra `otel`. See docs/opentelemetry.md, and design/008-opentelemetry.md for the mapping.
"""

from __future__ import annotations

try:
    from tailrace.producers.otel.exporter import TailraceSpanExporter
    from tailrace.producers.otel.options import NOT_REPLAYABLE, SpanOptions, SpanStats
    from tailrace.producers.otel.processor import TailraceSpanProcessor
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "opentelemetry":
        raise
    raise ModuleNotFoundError(
        "tailrace.producers.otel needs OpenTelemetry's SDK: pip install 'tailrace[otel]'",
        name=error.name,
    ) from error

__all__ = [
    "NOT_REPLAYABLE",
    "SpanOptions",
    "SpanStats",
    "TailraceSpanExporter",
    "TailraceSpanProcessor",
]
