"""A supervisor in the background: started in a session of its own, followed until it is ready."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from tailrace.console.local.errors import StackError
from tailrace.console.local.events import STACK, Event, Tell
from tailrace.console.local.folder import DataFolder

if TYPE_CHECKING:
    from tailrace.console.local.launch import StackOptions

_MODULE = "tailrace.console.local.supervisor"
_STOP_TIMEOUT_S = 60.0


def start_detached(options: StackOptions, tell: Tell) -> None:
    """Start a stack that outlives this process; return when it serves.

    Its events until then are handed to `tell`. Interrupted, it ends the stack again.

    Raises:
        StackError: if it cannot start; nothing of it runs then.
    """
    folder = DataFolder(options.data)
    folder.make()
    receiving, sending = os.pipe()
    document = json.dumps(asdict(options), default=str)
    with (folder.logs / "supervisor.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", _MODULE, str(sending), document],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[sending],
            start_new_session=True,
        )
    os.close(sending)
    try:
        _follow(receiving, tell, folder)
    except BaseException:
        process.send_signal(signal.SIGTERM)
        process.wait(_STOP_TIMEOUT_S)
        raise
    # It is meant to outlive us: without this, Python warns of a child that still runs.
    process.returncode = 0


def _follow(receiving: int, tell: Tell, folder: DataFolder) -> None:
    with os.fdopen(receiving, "rb") as lines:
        for line in lines:
            event = Event.decode(line)
            if event.member == STACK and event.state == "failed":
                raise StackError(event.text)
            tell(event)
            if event == Event(STACK, "ready"):
                return
    raise StackError(
        f"the supervisor ended before the stack was ready, see {folder.logs / 'supervisor.log'}"
    )
