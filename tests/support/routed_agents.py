"""Agents that are routed by pointers, each in a process of its own, as in the field."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from tailrace.producers import Tailrace, component, current_run

if TYPE_CHECKING:
    from collections.abc import Generator

_STOP_S = 20.0


@component
def helper() -> str:
    """Say what the deployment's config says."""
    return current_run().config["tone"]


@component
def support() -> list[str]:
    """Say it before and after a child run does."""
    tone = current_run().config["tone"]
    return [tone, helper(), current_run().config["tone"]]


@contextlib.contextmanager
def running_agents(
    kafka: str, prefix: str, count: int, *, pause_s: float = 0.005
) -> Generator[list[subprocess.Popen[bytes]]]:
    """Run agents in prod, run after run, for the length of the block; they end without a word."""
    # As a module, so that its code has the name under which tests import it.
    told = [sys.executable, "-m", "support.routed_agents", kafka, prefix, str(pause_s)]
    variables = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    agents = [subprocess.Popen(told, stdin=subprocess.PIPE, env=variables) for _ in range(count)]
    try:
        yield agents
    finally:
        codes = [_end(agent) for agent in agents]
    assert codes == [0] * count, f"agents ended with {codes}"


def _end(agent: subprocess.Popen[bytes]) -> int:
    assert agent.stdin is not None
    agent.stdin.close()
    try:
        return agent.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        agent.kill()
        return agent.wait()


def main() -> None:
    """Be the process: run until standard input ends."""
    kafka, prefix, pause_s = sys.argv[1:]
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    with Tailrace(kafka, environment="prod", prefix=prefix, durability="async"):
        while not over.wait(float(pause_s)):
            before, _, after = support()
            assert before == after


if __name__ == "__main__":
    main()
