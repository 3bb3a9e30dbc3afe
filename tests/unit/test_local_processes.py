"""Processes are known by pid and start time, and none outlives whoever started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.waiting import wait_until
from tailrace.console.local.children import Child, tail
from tailrace.console.local.errors import StackError
from tailrace.console.local.processes import (
    ProcessId,
    identify,
    is_alive,
    stop_process,
    wait_gone,
)

if TYPE_CHECKING:
    from pathlib import Path

SLEEP = [sys.executable, "-c", "import time; time.sleep(300)"]
IGNORE = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(300)
"""
STUBBORN = [sys.executable, "-c", IGNORE]
STARTER = """
import sys, time, pathlib
from tailrace.console.local.children import Child
child = Child.start(sys.argv[2:], pathlib.Path(sys.argv[1]), grace_s=0.2)
print(child.pid, flush=True)
time.sleep(300)
"""


def test_a_pid_that_was_used_again_is_another_process() -> None:
    me = identify(os.getpid())
    assert me is not None
    assert is_alive(me)
    assert not is_alive(ProcessId(me.pid, "another time"))
    assert stop_process(ProcessId(me.pid, "another time"), 1) == "gone"


def test_a_child_ends_by_sigterm_and_says_so(tmp_path: Path) -> None:
    child = Child.start(SLEEP, tmp_path / "log")
    assert child.exit_code() is None
    assert child.stop(10) == "stopped"
    assert child.exit_code() == 128 + signal.SIGTERM
    assert child.stop(10) == "gone"


def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    child = Child.start(STUBBORN, tmp_path / "log")
    wait_until(lambda: "ready" in child.output(1), "the child runs")
    assert child.stop(0.1) == "killed"
    assert child.exit_code() == 128 + signal.SIGKILL


def test_a_command_that_does_not_exist_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="No such file or directory"):
        Child.start([str(tmp_path / "nothing")], tmp_path / "log")


@pytest.mark.parametrize("command", [SLEEP, STUBBORN])
def test_a_child_dies_with_a_starter_that_is_killed(tmp_path: Path, command: list[str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path / "log"), *command], stdout=subprocess.PIPE
    ) as starter:
        assert starter.stdout is not None
        child = identify(int(starter.stdout.readline()))
        assert child is not None
        starter.kill()
    assert wait_gone(child, 10)


def test_output_is_that_of_this_command_alone_and_a_long_log_is_moved(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("of an earlier one\n" * 3, encoding="utf-8")
    child = Child.start([sys.executable, "-c", "print('mine')"], log)
    assert child.wait() == 0
    child.stop(1)
    assert child.output(5) == "mine"
    assert tail(log, 2) == "of an earlier one\nmine"
    log.write_bytes(b"x" * (9 << 20))
    again = Child.start([sys.executable, "-c", "print('new')"], log)
    again.wait()
    again.stop(1)
    assert log.read_text(encoding="utf-8") == "new\n"
    assert (tmp_path / "log.1").stat().st_size == 9 << 20
