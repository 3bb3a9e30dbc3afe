"""MLflow's own decorator, its tracing package alone."""

# The peer lives in an environment of its own, without types here.
# pyright: reportMissingImports=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUntypedFunctionDecorator=false

from __future__ import annotations

import os
import sys

os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "true"

import mlflow
import pace

mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("bench")
work = pace.Work(mlflow.trace(pace.tool), mlflow.trace(pace.async_tool))


@mlflow.trace
def run() -> str:
    """Make one trace."""
    return work.run()


@mlflow.trace
async def async_run() -> str:
    """Make one trace."""
    return await work.async_run()


pace.measure(work, run, async_run, mlflow.flush_trace_async_logging)
