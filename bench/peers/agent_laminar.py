"""Laminar's own decorator, over HTTP."""

# The peer lives in an environment of its own, without types here.
# pyright: reportMissingImports=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUntypedFunctionDecorator=false

from __future__ import annotations

import sys

import pace
from lmnr import Laminar, observe

host, _, port = sys.argv[1].rpartition(":")
Laminar.initialize(
    project_api_key="bench", base_url=host, http_port=int(port), force_http=True, instruments=set()
)
work = pace.Work(observe()(pace.tool), observe()(pace.async_tool))


@observe()
def run() -> str:
    """Make one trace."""
    return work.run()


@observe()
async def async_run() -> str:
    """Make one trace."""
    return await work.async_run()


pace.measure(work, run, async_run, Laminar.flush)
