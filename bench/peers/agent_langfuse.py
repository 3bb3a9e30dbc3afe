"""Langfuse's own decorator."""

# The peer lives in an environment of its own, without types here.
# pyright: reportMissingImports=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUntypedFunctionDecorator=false

from __future__ import annotations

import sys

import pace
from langfuse import Langfuse, observe

client = Langfuse(public_key="pk-lf-bench", secret_key="bench", host=sys.argv[1])  # noqa: S106 - no secret
work = pace.Work(observe()(pace.tool), observe()(pace.async_tool))


@observe()
def run() -> str:
    """Make one trace."""
    return work.run()


@observe()
async def async_run() -> str:
    """Make one trace."""
    return await work.async_run()


pace.measure(work, run, async_run, client.flush)
