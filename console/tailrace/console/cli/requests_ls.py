"""`tailrace requests ls`: what waits for workers, deployment by deployment."""

from __future__ import annotations

import json as json_format
import sys
from typing import TYPE_CHECKING, Any

from tailrace.console.cli.pointing import JsonOption, at_desk
from tailrace.console.report.printing import print_lines
from tailrace.console.report.requests import request_lines
from tailrace.console.waiting_requests import waiting_requests

if TYPE_CHECKING:
    from tailrace.producers.routing.desk import ControlDesk


def command(*, json: JsonOption = False) -> None:
    """List every deployment that work was dispatched to, and what of it is not done.

    A deployment that no pointer names any more is retired: its workers are
    needed until nothing waits.
    """

    async def read(desk: ControlDesk) -> None:
        named = {
            deployment: f"{environment}:{component}"
            for (environment, component), pointer in sorted(desk.control.pointers.items())
            for deployment in pointer.weights
        }
        found = await waiting_requests()
        rows: list[dict[str, Any]] = [
            {
                "deployment": each.deployment,
                "waiting": each.waiting,
                "sent": each.sent,
                "workers": each.workers,
                "pointer": named.get(each.deployment, ""),
            }
            for each in found
        ]
        if json:
            sys.stdout.writelines(json_format.dumps(row) + "\n" for row in rows)
        elif rows:
            print_lines(lambda room: request_lines(rows, room))
        else:
            sys.stderr.write("nothing was ever dispatched\n")

    at_desk(read)
