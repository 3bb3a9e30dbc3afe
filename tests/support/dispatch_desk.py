"""A desk that is deployed in two versions and run by workers, written out as files of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_STOP_S = 30.0

SOURCE = """
import asyncio
import os

from tailrace.producers import component, step


def happened(what):
    with open(os.environ["DESK_EFFECTS"], "a") as file:
        file.write(what + "\\n")


@step(kind="tool", effect="read")
def look(number: int) -> int:
    return number


@step(kind="tool", effect="write")
def note(number: int) -> str:
    happened(f"note {number}")
    return "noted"


@step(kind="tool", effect="write")
def send(number: int, hang: str) -> str:
    happened(f"send {number}")
    wait(hang, "send")
    return "sent"


@step(kind="tool", effect="read")
def think(hang: str) -> None:
    wait(hang, "think")


def wait(hang, where):
    if where == "send" and hang == "exit":
        raise SystemExit(1)
    if where == "send" and hang == "cancel":
        raise asyncio.CancelledError
    effects = os.environ["DESK_EFFECTS"]
    if hang == where:
        open(effects + ".hangs", "w").close()
        open(effects + ".gate").close()  # a pipe: it opens when somebody has opened its other end


@component("support", on_unknown="POLICY")
async def support(number: int, hang: str = "") -> list:
    look(number)
    note(number)
    await asyncio.to_thread(think, hang)
    await asyncio.to_thread(send, number, hang)
    return ["VERSION", number]
"""
MANIFEST = """
[components.support]
entry_point = "desk:support"
"""


def write_desk(folder: Path, version: str, policy: str) -> Path:
    """Write a version of the desk and its manifest; return the folder."""
    folder.mkdir(parents=True)
    (folder / "desk.py").write_text(SOURCE.replace("VERSION", version).replace("POLICY", policy))
    (folder / "desk.toml").write_text(MANIFEST)
    return folder


def tailrace(
    folder: Path, variables: dict[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run a command of Tailrace in a folder, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "tailrace.console", *arguments],
        cwd=folder, env={**os.environ, **variables}, text=True, capture_output=True, check=False,
        timeout=90,
    )  # fmt: skip


@contextmanager
def working(
    folder: Path, variables: dict[str, str], deployment: str, *, drain_s: int = 10
) -> Generator[subprocess.Popen[str]]:
    """Run a worker of a deployment in its folder, within the block; it drains at the end."""
    told = ["worker", "desk:support", "--deployment", deployment, "--session", "6"]
    told += ["--drain", str(drain_s)]
    worker = subprocess.Popen(
        [sys.executable, "-m", "tailrace.console", *told],
        cwd=folder, env={**os.environ, **variables}, text=True, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield worker
    finally:
        if worker.poll() is None:
            worker.terminate()
        try:
            worker.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
            raise
        finally:
            assert worker.stderr is not None
            worker.stderr.close()
