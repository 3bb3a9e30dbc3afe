"""Runs one command and turns every ending into an exit code.

0 done · 1 an error that the text explains · 64 wrong usage · 130 interrupted ·
141 whoever read the output went away, as in `tailrace traces ls | head -1`. Results go to standard
output, words about the work to standard error.
"""

from __future__ import annotations

import logging
import os
import select
import shutil
import sys
import textwrap
import traceback
from pathlib import Path

import typer
from typer.exceptions import TyperException

from tailrace.console.cli.app import build_app
from tailrace.console.cli.extras import missing_extra
from tailrace.console.report.printable import printable
from tailrace.schemas.errors import TailraceError

FAILED = 1
USAGE = 64
INTERRUPTED = 130
BROKEN_PIPE = 141
"""128 + SIGPIPE, as a program without Python's handling of it would end."""
_DEBUG = "TAILRACE_DEBUG"


def run_command(arguments: list[str] | None = None) -> int:
    """Run the command that `arguments` (default: the process's own) name; return the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    _quiet_logging()
    output = _output()
    try:
        code = _run(given)
        sys.stdout.flush()
    except BrokenPipeError as error:
        if (
            _output() == output and not _reader_is_gone()
        ):  # a server's connection, and not one that a client looked after
            return _confess(error)
        # Whoever read our output has enough; Python would complain once more while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return code


def _run(arguments: list[str]) -> int:
    try:
        command = typer.main.get_command(build_app(arguments))
        result = command.main(arguments, prog_name="tailrace", standalone_mode=False)
    except TyperException as error:
        return _refuse(error)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except SystemExit as ending:
        if isinstance(ending.__context__, BrokenPipeError):  # Typer or Rich has made 1 of it
            raise ending.__context__ from None
        raise
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the last resort of the whole program
        return _explain(error)
    return result if isinstance(result, int) else 0


def _output() -> tuple[int, int] | None:
    """Return which file standard output is; Rich puts another in its place when a pipe breaks."""
    try:
        state = os.fstat(sys.stdout.fileno())
    except (OSError, ValueError):
        return None
    return state.st_dev, state.st_ino


def _reader_is_gone() -> bool:
    try:
        watched = select.poll()
        watched.register(sys.stdout.fileno(), 0)
        return any(state & (select.POLLERR | select.POLLHUP) for _, state in watched.poll(0))
    except (OSError, ValueError):
        return False


def _explain(error: Exception) -> int:
    if isinstance(error, TailraceError):
        sentence: str | None = str(error)
    else:
        sentence = missing_extra(error) if isinstance(error, ModuleNotFoundError) else None
    if sentence is None:
        return _confess(error)
    _say(f"error: {sentence}")
    return FAILED


def _refuse(error: TyperException) -> int:
    message = error.format_message()
    if not message:
        return USAGE  # Typer has shown the help instead.
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "tailrace"
    text = message[0].lower() + message[1:].rstrip(".")
    _say(f"error: {text} (see `{path} --help`)")
    return USAGE


def _confess(error: Exception) -> int:
    if os.environ.get(_DEBUG):
        traceback.print_exception(error)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    text = " ".join(str(error).split())[:200]
    _say(
        f"error: {type(error).__name__}{where}: {text} — this is a defect in Tailrace; "
        f"{_DEBUG}=1 shows the traceback"
    )
    return FAILED


def _say(text: str) -> None:
    text = printable(text)  # names and reasons in it may be other people's
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns
        lines = [_wrapped(line, width) for line in text.splitlines()]
        text = "\n".join(lines)
    sys.stderr.write(f"{text}\n")


def _wrapped(line: str, width: int) -> str:
    # Paths and options stay whole, so that they can be copied.
    return textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)


def _quiet_logging() -> None:
    """Keep client libraries' log lines off the terminal, unless they were asked for."""
    if os.environ.get(_DEBUG):
        logging.basicConfig(level=logging.INFO)
    else:
        logging.getLogger().addHandler(logging.NullHandler())
