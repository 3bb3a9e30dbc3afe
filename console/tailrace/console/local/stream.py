"""The stream processors as a member of the stack: `tailrace stream` in a process of its own."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from tailrace.console.local.program import Program

if TYPE_CHECKING:
    from tailrace.console.local.folder import DataFolder
    from tailrace.console.local.members import Dependent, Endpoints

_COMMAND = (sys.executable, "-m", "tailrace.console", "stream")


def stream_dependent(folder: DataFolder) -> Dependent | None:
    """Return the maker of a stream worker beside the sink; None if its extra is not installed.

    It counts as started once its process runs: records that come before it reads wait in the log.
    It has a name in its group, so that one that was killed is not waited for.
    """
    if any(find_spec(package) is None for package in ("faust", "ddsketch")):
        return None

    def make(endpoints: Endpoints) -> Program:
        addresses = {
            "TAILRACE_KAFKA": endpoints.kafka,
            "TAILRACE_CLICKHOUSE": endpoints.clickhouse,
        }
        log = folder.logs / "stream.log"
        command = (*_COMMAND, "--folder", str(folder.streams), "--instance", folder.instance)
        return Program("stream", command, log, ready=lambda: True, variables=addresses)

    return make
