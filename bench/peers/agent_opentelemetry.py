"""The OpenTelemetry SDK with its batch processor, values as attributes in JSON."""

# The peer lives in an environment of its own, without types here.
# pyright: reportMissingImports=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUntypedFunctionDecorator=false

from __future__ import annotations

import json
import sys
from typing import Any

import pace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(sys.argv[1] + "/v1/traces")))
tracer = provider.get_tracer("bench")


def tool(request: dict[str, Any]) -> dict[str, Any]:
    """Call the tool in a span."""
    with tracer.start_as_current_span("tool") as span:
        span.set_attribute("input", json.dumps({"request": request}))
        returned = pace.tool(request)
        span.set_attribute("output", json.dumps(returned))
        return returned


async def async_tool(request: dict[str, Any]) -> dict[str, Any]:
    """Await the tool in a span."""
    with tracer.start_as_current_span("tool") as span:
        span.set_attribute("input", json.dumps({"request": request}))
        returned = await pace.async_tool(request)
        span.set_attribute("output", json.dumps(returned))
        return returned


work = pace.Work(tool, async_tool)


def run() -> str:
    """Make one trace."""
    with tracer.start_as_current_span("run"):
        return work.run()


async def async_run() -> str:
    """Make one trace."""
    with tracer.start_as_current_span("run"):
        return await work.async_run()


pace.measure(work, run, async_run, provider.force_flush)
