"""`tailrace pointers`: what new runs are routed to."""

from __future__ import annotations

import json as json_format
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tailrace.console.cli.pointing import JsonOption, OnlyComponentArgument, OnlyEnvOption, at_desk
from tailrace.console.report.pointers import pointer_lines, pointer_record
from tailrace.console.report.printing import print_lines

if TYPE_CHECKING:
    from tailrace.producers.routing.desk import ControlDesk


def command(
    component: OnlyComponentArgument = None,
    *,
    env: OnlyEnvOption = None,
    json: JsonOption = False,
) -> None:
    """List the pointers: which deployment takes which share of the new runs."""

    async def read(desk: ControlDesk) -> None:
        found = {
            key: pointer
            for key, pointer in desk.control.pointers.items()
            if env in {None, key[0]} and component in {None, key[1]}
        }
        if json:
            records = (pointer_record(*key, pointer) for key, pointer in sorted(found.items()))
            sys.stdout.writelines(json_format.dumps(each) + "\n" for each in records)
        elif found:
            print_lines(lambda room: pointer_lines(found, datetime.now(UTC), room))
        else:
            sys.stderr.write("there is no such pointer: make one with `tailrace deploy`\n")

    at_desk(read)
