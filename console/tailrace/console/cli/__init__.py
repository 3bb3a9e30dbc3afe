"""The `tailrace` command line: one command a file, registered in `app`."""

from __future__ import annotations

import sys

from tailrace.console.cli.extras import missing_extra

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run the command that `arguments` (default: the process's own) name; return the exit code.

    Every installation has the script `tailrace`, also one for agents alone, which lacks what a
    command line needs: that is one sentence and exit code 1.
    """
    try:
        from tailrace.console.cli.run_command import run_command  # noqa: PLC0415 - needs the extra
    except ModuleNotFoundError as error:
        sentence = missing_extra(error)
        if sentence is None:
            raise
        sys.stderr.write(f"error: {sentence}\n")
        return 1
    return run_command(arguments)
