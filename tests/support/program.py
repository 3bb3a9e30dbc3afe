"""The `tailrace` program as a person runs it: a process of its own, its words and its exit code.

A fresh interpreter takes most of a second of the processor to load what a command needs, and tests
run hundreds of commands. So `tailrace` forks each one from a process that has loaded all commands
and done nothing else. `PROGRAM` is the plain start, for what is fed, watched or killed.
"""

from __future__ import annotations

import atexit
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tailrace.console.cli import main
from tailrace.console.cli.app import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RUN = "import sys; from tailrace.console.cli import main; sys.exit(main())"
PROGRAM = (sys.executable, "-c", RUN)
_TIMEOUT_S = 100
_LOADED = multiprocessing.get_context("forkserver")
_LOADED.set_forkserver_preload([f"tailrace.console.cli.{command.module}" for command in COMMANDS])


def tailrace(
    *arguments: str, data: Path, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the program to its end against one data folder, without any input."""
    with tempfile.TemporaryDirectory(prefix="tailrace-said-") as folder:
        said = [Path(folder) / name for name in ("out", "err")]
        told = (arguments, environment(data, variables), Path.cwd(), *said)
        process = _LOADED.Process(target=_be_the_program, args=told)
        process.start()
        process.join(_TIMEOUT_S)
        code = process.exitcode
        if code is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(arguments, _TIMEOUT_S)
        process.close()
        out, err = (path.read_text() for path in said)
        return subprocess.CompletedProcess(arguments, code, out, err)


def _be_the_program(
    arguments: Sequence[str], variables: Mapping[str, str], folder: Path, out: Path, err: Path
) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    for number, name, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, out, os.O_WRONLY | os.O_CREAT),
        (2, err, os.O_WRONLY | os.O_CREAT),
    ):
        opened = os.open(name, flags)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - the process's own
    sys.argv = ["tailrace", *arguments]
    try:
        sys.exit(main(list(arguments)))
    finally:  # what an interpreter does at its end, and a process of multiprocessing does not
        vars(threading)["_shutdown"]()
        vars(atexit)["_run_exitfuncs"]()


def environment(data: Path, variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment with this data folder and, of Tailrace's own, only the cache."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TAILRACE_") or name == "TAILRACE_CACHE"
    }
    return {**kept, "TAILRACE_DATA": str(data), **(variables or {})}


def status(data: Path) -> dict[str, Any]:
    """Return what `tailrace status --json` says."""
    document: dict[str, Any] = json.loads(tailrace("status", "--json", data=data).stdout)
    return document
