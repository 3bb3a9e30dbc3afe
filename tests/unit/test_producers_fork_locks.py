"""What another thread holds when a process is forked does not hold up the child."""

from __future__ import annotations

import asyncio
import importlib
import io
import logging
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tailrace.producers.delivery.outlet import KafkaUnreachableError
from tailrace.producers.delivery.sender import KafkaSender
from tailrace.producers.process.loading import loading
from tailrace.producers.process.log_lines import keep_lines_whole
from tailrace.producers.tree.forks import Forked

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from pathlib import Path

# Python 3.12 warns of a fork beside threads, which is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

_TIMEOUT_S = 30
_CHILD_S = 15
_MODULE = "a_module_that_is_slow_to_import"
_SLOW = """
import threading
threading.imported_slowly()
done = sum(range(2_000_000))
"""

_before_fork: list[Callable[[], object]] = []
# The handlers that are registered last are called first: before any of ours.
os.register_at_fork(before=lambda: [each() for each in _before_fork])


def holds_in_child(check: Callable[[], bool]) -> bool:
    """Return what a check says in a forked child; False where it does not end."""
    child = os.fork()
    if not child:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(_CHILD_S)
        said = False
        try:
            said = check()
        finally:
            os._exit(0 if said else 1)
    return os.waitpid(child, 0)[1] == 0


def test_a_fork_comes_before_or_after_an_import_in_another_thread_not_within(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    importing, go_on = threading.Event(), threading.Event()

    def imported_slowly() -> None:
        importing.set()
        assert go_on.wait(_TIMEOUT_S)

    def load() -> None:
        with loading():
            importlib.import_module(_MODULE)

    (tmp_path / f"{_MODULE}.py").write_text(_SLOW, encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    monkeypatch.setattr(threading, "imported_slowly", imported_slowly, raising=False)
    thread = threading.Thread(target=load)
    thread.start()
    assert importing.wait(_TIMEOUT_S)
    _before_fork.append(go_on.set)
    try:
        assert holds_in_child(lambda: importlib.import_module(_MODULE).done > 0)
    finally:
        _before_fork.clear()
        go_on.set()
        thread.join(_TIMEOUT_S)


def test_a_fork_within_an_import_of_ones_own_is_possible_and_leaves_the_gate_open() -> None:
    def gate_is_open() -> bool:
        with loading():
            return True

    with loading():
        assert holds_in_child(gate_is_open)
    other = threading.Thread(target=gate_is_open)
    other.start()
    other.join(_TIMEOUT_S)
    assert not other.is_alive()


def test_a_run_that_goes_on_in_a_child_is_not_locked_in_the_childs_own_child() -> None:
    forked = Forked(None)
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with forked.lock:
            held.set()
            release.wait(_TIMEOUT_S)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(_TIMEOUT_S)
    try:
        assert holds_in_child(lambda: forked.lock.acquire(blocking=False))
    finally:
        release.set()
        thread.join(_TIMEOUT_S)


def test_who_opens_a_client_does_not_wait_for_ever_for_a_thread_that_is_stuck(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release = threading.Event()

    async def stuck(_: KafkaSender, ready: Future[None], timeout_s: float) -> None:
        del ready, timeout_s
        await asyncio.to_thread(release.wait, _TIMEOUT_S)

    monkeypatch.setattr(KafkaSender, "_main", stuck)
    monkeypatch.setattr("tailrace.producers.delivery.sender._GRACE_S", 0.0)
    sender = KafkaSender({"bootstrap_servers": "127.0.0.1:1"})
    try:
        with pytest.raises(KafkaUnreachableError, match="something in this process"):
            sender.open(0.01)
    finally:
        release.set()


class SlowStream(io.StringIO):
    """A stream with a lock of its own, as a buffered one has, which no fork frees."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.writing, self.go_on = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        with self.lock:
            self.writing.set()
            self.go_on.wait(_TIMEOUT_S)
            return super().write(text)


def test_a_fork_comes_before_or_after_a_log_line_of_another_thread_not_within() -> None:
    keep_lines_whole()
    stream = SlowStream()
    log = logging.getLogger("tailrace.tests.fork")
    handler = logging.StreamHandler(stream)
    log.addHandler(handler)
    log.propagate = False
    writer = threading.Thread(target=log.warning, args=("a line of another thread",))
    # What is in the middle of a line is let go on when the fork has begun.
    letting_go = threading.Timer(0.2, stream.go_on.set)
    try:
        writer.start()
        assert stream.writing.wait(_TIMEOUT_S)

        def says() -> bool:
            log.warning("a line of the child")
            return True

        letting_go.start()
        assert holds_in_child(says)
        letting_go.join(_TIMEOUT_S)
        writer.join(_TIMEOUT_S)
        log.warning("the parent goes on")
    finally:
        stream.go_on.set()
        log.removeHandler(handler)
    assert stream.getvalue().count("\n") == 2
