"""`tailrace history`: who moved which pointer, when and why."""

from __future__ import annotations

import json as json_format
import sys
from typing import TYPE_CHECKING, Any

from tailrace.console.cli.pointing import (
    JsonOption,
    LimitOption,
    OnlyComponentArgument,
    OnlyEnvOption,
    at_desk,
)
from tailrace.console.report.history import History, history_lines, history_record
from tailrace.console.report.printing import print_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.producers.routing.desk import ControlDesk


def command(
    component: OnlyComponentArgument = None,
    *,
    env: OnlyEnvOption = None,
    limit: LimitOption = 50,
    json: JsonOption = False,
) -> None:
    """Show what happened to pointers, the newest first: who, when, why, from what to what.

    Moves that do not count are shown, too, with what was made of them: stale
    ones, which were decided on another revision, and those of frozen pointers.
    """
    history = History()

    def wanted(record: Mapping[str, Any]) -> bool:
        return component in {None, record["component"]} and env in {None, record["environment"]}

    async def read(_: ControlDesk) -> None:
        happened = [each for each in history.entries if wanted(each.applied.record)]
        shown = happened[-limit:]
        if json:
            records = map(history_record, reversed(shown))
            sys.stdout.writelines(json_format.dumps(each) + "\n" for each in records)
        elif shown:
            print_lines(lambda room: list(history_lines(shown, room)))
        else:
            sys.stderr.write("nothing happened to such a pointer yet\n")

    at_desk(read, history.take)
