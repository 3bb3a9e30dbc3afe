"""The `tailrace` command line: one command a file, registered in `app`."""

from tailrace.console.cli.main import main

__all__ = ["main"]
