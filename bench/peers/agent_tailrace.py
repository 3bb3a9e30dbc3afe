"""Tailrace, to a real broker: a run's call returns when all its events are acknowledged."""

from __future__ import annotations

import sys

import pace

from tailrace.producers import Tailrace, component, step

client = Tailrace(sys.argv[1], prefix=sys.argv[4])
client.open()
work = pace.Work(step(kind="tool")(pace.tool), step(kind="tool")(pace.async_tool))


@component
def run() -> str:
    """Make one run."""
    return work.run()


@component
async def async_run() -> str:
    """Make one run."""
    return await work.async_run()


pace.measure(work, run, async_run, client.close)
