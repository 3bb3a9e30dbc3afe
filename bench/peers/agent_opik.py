"""Opik's own decorator."""

# The peer lives in an environment of its own, without types here.
# pyright: reportMissingImports=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUntypedFunctionDecorator=false

from __future__ import annotations

import os
import sys

os.environ |= {
    "OPIK_URL_OVERRIDE": sys.argv[1] + "/api/",
    "OPIK_WORKSPACE": "default",
    "OPIK_SENTRY_ENABLE": "false",
    "OPIK_CHECK_TLS_CERTIFICATE": "false",
    "OPIK_CONSOLE_LOGGING_LEVEL": "ERROR",
}

import opik
import pace

work = pace.Work(opik.track(pace.tool), opik.track(pace.async_tool))


@opik.track
def run() -> str:
    """Make one trace."""
    return work.run()


@opik.track
async def async_run() -> str:
    """Make one trace."""
    return await work.async_run()


pace.measure(work, run, async_run, opik.flush_tracker)
