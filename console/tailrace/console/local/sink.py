"""The archive sink as a member of the stack: `tailrace sink` in a process of its own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tailrace.console.local.program import Program

if TYPE_CHECKING:
    from tailrace.console.local.folder import DataFolder
    from tailrace.console.local.members import Dependent, Endpoints

_COMMAND = (sys.executable, "-m", "tailrace.console", "sink", "--no-migrate")


def sink_dependent(folder: DataFolder) -> Dependent:
    """Return the maker of the sink between a stack's two servers.

    It counts as started once its process runs: records that come before it reads wait in the log.
    It has a name in its group, so that one that was killed is not waited for.
    """

    def make(endpoints: Endpoints) -> Program:
        addresses = {
            "TAILRACE_KAFKA": endpoints.kafka,
            "TAILRACE_CLICKHOUSE": endpoints.clickhouse,
        }
        log = folder.logs / "sink.log"
        command = (*_COMMAND, "--instance", folder.instance)
        return Program("sink", command, log, ready=lambda: True, variables=addresses)

    return make
