"""The process behind `tailrace up --detach`: one stack, its events on a pipe, ended by signals.

Started by `detach` with the descriptor of the pipe and the options of the stack as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tailrace.console.local.events import STACK, Event, Tell
from tailrace.console.local.launch import StackOptions, build_stack
from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from types import FrameType


def main(arguments: list[str]) -> int:
    """Run a stack to its end; 1 if it failed, which its last event and the log explain."""
    descriptor, options = int(arguments[0]), json.loads(arguments[1])
    options["data"] = Path(options["data"])
    watched = True

    def tell(event: Event) -> None:
        nonlocal watched
        if event.state != "fetching":
            print(event.member, event.state, event.text, file=sys.stderr, flush=True)  # noqa: T201
        if not watched:
            return
        try:
            os.write(descriptor, event.encode())
        except OSError:
            watched = False  # Whoever started us has gone; the log has everything.
        if event == Event(STACK, "ready"):
            watched = False
            os.close(descriptor)

    try:
        run_until_signal(StackOptions(**options), tell)
    except TailraceError as error:
        tell(Event(STACK, "failed", str(error)))
        return 1
    return 0


def run_until_signal(options: StackOptions, tell: Tell) -> None:
    """Run a stack in this process until SIGINT or SIGTERM; blocks.

    Raises:
        StackError: as `Stack.run` does.
    """
    stack = build_stack(options, tell)

    def stop(_number: int, _frame: FrameType | None) -> None:
        stack.request_stop()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    former = {number: signal.signal(number, stop) for number in numbers}
    try:
        stack.run()
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
