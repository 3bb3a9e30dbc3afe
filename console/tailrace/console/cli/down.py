"""`tailrace down`: stop the local stack."""

import sys

from tailrace.console.cli.options import DataOption
from tailrace.console.local.folder import find_folder
from tailrace.console.local.shutdown import stop_stack

_SAID = {
    "stopped": "stopped; its data stays in {path}",
    "killed": "killed, since it did not end within 60 s; its data stays in {path}",
    "cleaned": "it was gone already; what it had left running is stopped ({path})",
    "gone": "nothing runs on {path}",
}


def command(*, data: DataOption = None) -> None:
    """Stop what `up` started; the data stays."""
    folder = find_folder(data)
    how = stop_stack(folder)
    sys.stdout.write(_SAID[how].format(path=folder.path) + "\n")
