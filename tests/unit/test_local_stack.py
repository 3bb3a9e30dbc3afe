"""The supervisor, with small programs as members: order, restarts, ends."""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.waiting import wait_until
from tailrace.console.local import folder as folder_module
from tailrace.console.local.clickhouse import ClickHouse
from tailrace.console.local.errors import StackError
from tailrace.console.local.folder import DataFolder, find_folder
from tailrace.console.local.kafka import Kafka
from tailrace.console.local.members import Endpoints, Step
from tailrace.console.local.processes import identify, wait_gone
from tailrace.console.local.program import Program
from tailrace.console.local.record import StackRecord, read_record
from tailrace.console.local.shutdown import stop_stack
from tailrace.console.local.stack import AlreadyRunningError, Stack
from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from tailrace.console.local.events import Event

GIVEN = {"kafka": "example:9092", "clickhouse": "http://example:8123"}
SLEEP = "import time; time.sleep(300)"


def program(folder: DataFolder, name: str, code: str = SLEEP) -> Program:
    log = folder.logs / f"{name}.log"
    return Program(name, [sys.executable, "-c", code], log, ready=lambda: True)


class Run:
    """A stack that runs in a thread."""

    def __init__(self, folder: DataFolder) -> None:
        self.folder = folder
        self.events: list[Event] = []
        self.error: BaseException | None = None
        self.stack: Stack | None = None

    def seen(self, member: str, state: str) -> bool:
        return any((one.member, one.state) == (member, state) for one in self.events)

    def pid(self, member: str) -> int | None:
        record = read_record(self.folder.record)
        process = record.processes.get(member) if record else None
        return process.pid if process else None


@contextmanager
def running(
    folder: DataFolder,
    members: Sequence[Program],
    *,
    until: Callable[[Run], bool] = lambda run: run.seen("stack", "ready"),
    steps: Sequence[Step] = (),
    dependents: Sequence[Callable[[Endpoints], Program]] = (),
) -> Generator[Run]:
    run = Run(folder)
    stack = run.stack = Stack(
        folder,
        members,
        given=GIVEN,
        steps=steps,
        dependents=dependents,
        tell=run.events.append,
        backoff_s=0.01,
    )

    def work() -> None:
        try:
            stack.run()
        except TailraceError as error:
            run.error = error

    thread = threading.Thread(target=work)
    thread.start()
    try:
        wait_until(lambda: until(run) or run.error is not None, "the stack is as far")
        yield run
    finally:
        stack.request_stop()
        thread.join(30)
    assert not thread.is_alive()


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path / "data")


def test_steps_run_in_order_with_the_addresses_before_the_dependents_start(
    folder: DataFolder,
) -> None:
    order: list[str] = []

    def step(name: str) -> Step:
        return Step(name, lambda endpoints: order.append(f"{name} {endpoints.kafka}"))

    def dependent(endpoints: Endpoints) -> Program:
        order.append(f"sink {endpoints.clickhouse}")
        return program(folder, "sink")

    steps = [step("topics"), step("tables")]
    with running(folder, [program(folder, "server")], steps=steps, dependents=[dependent]) as run:
        assert order == [
            "topics example:9092",
            "tables example:9092",
            "sink http://example:8123",
        ]
        assert run.pid("sink") != run.pid("server")
    ends = [event.member for event in run.events if event.state == "stopped"]
    assert ends == ["sink", "server", "stack"]
    assert run.error is None


def test_a_step_that_fails_ends_the_start_and_everything_started(folder: DataFolder) -> None:
    def fail(_: Endpoints) -> None:
        raise StackError("the topics differ")

    server = program(folder, "server")
    with running(folder, [server], steps=[Step("topics", fail)]) as run:
        pass
    assert str(run.error) == "the topics differ"
    assert server.process is None
    assert not folder.record.exists()
    assert not folder.is_running()


def test_a_member_that_dies_is_started_again(folder: DataFolder) -> None:
    with running(folder, [program(folder, "server")]) as run:
        first = run.pid("server")
        assert first is not None
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: run.pid("server") not in {None, first}, "another process serves")
        wait_until(
            lambda: (
                (read_record(folder.record) or pytest.fail("no record")).restarts == {"server": 1}
            ),
            "the restart is counted",
        )
        died = next(event for event in run.events if event.state == "died")
        assert str(folder.logs / "server.log") in died.text


def test_a_member_that_keeps_dying_stops_the_stack_and_says_which(folder: DataFolder) -> None:
    with running(folder, [program(folder, "server", "import sys; sys.exit(3)")]) as run:
        wait_until(lambda: run.error is not None, "the stack gives up")
    assert "server ended 6 times within 10 minutes" in str(run.error)
    assert "server.log" in str(run.error)
    assert len([event for event in run.events if event.state == "died"]) == 5


def test_a_stop_during_the_start_is_heeded(folder: DataFolder) -> None:
    slow = Program(
        "slow", [sys.executable, "-c", SLEEP], folder.logs / "slow.log", ready=lambda: False
    )
    with running(folder, [slow], until=lambda _: slow.process is not None) as run:
        process = slow.process
        assert process is not None
    assert wait_gone(process, 1)
    assert run.error is None


def test_one_folder_takes_one_stack(folder: DataFolder) -> None:
    with running(folder, [program(folder, "server")]):
        second = Stack(folder, [], given=GIVEN, tell=lambda _: None)
        with pytest.raises(AlreadyRunningError):
            second.run()
        assert folder.is_running()
    assert not folder.is_running()


def test_what_a_killed_supervisor_left_is_ended_before_a_new_start(folder: DataFolder) -> None:
    folder.make()
    orphan = program(folder, "server")
    orphan.start(10)
    process = orphan.process
    me = identify(os.getpid())
    assert process is not None
    assert me is not None
    StackRecord(
        "running", "2026-01-01T00:00:00+00:00", "0.1.0", processes={"server": process}
    ).write(folder.record)
    with running(folder, [program(folder, "server")]) as run:
        assert wait_gone(process, 1)
        assert run.pid("server") != process.pid
    orphan.stop()


def test_stopping_from_outside_says_what_was_done(folder: DataFolder) -> None:
    assert stop_stack(folder) == "gone"
    folder.make()
    orphan = program(folder, "server")
    orphan.start(10)
    process = orphan.process
    assert process is not None
    StackRecord(
        "running", "2026-01-01T00:00:00+00:00", "0.1.0", processes={"server": process}
    ).write(folder.record)
    assert stop_stack(folder) == "cleaned"
    assert wait_gone(process, 1)
    assert not folder.record.exists()
    orphan.stop()
    folder.record.write_text("not json", encoding="utf-8")
    assert stop_stack(folder) == "gone"
    assert not folder.record.exists()


def test_a_taken_port_gets_a_sentence_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        members = (
            (Kafka(tmp_path / "k", tmp_path / "log", port=port), "--kafka-port"),
            (ClickHouse(tmp_path / "c", tmp_path / "log", port=port), "--clickhouse-port"),
        )
        for member, option in members:
            with pytest.raises(StackError, match=f"port {port} is taken.*{option}"):
                member.start(10)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_gets_a_sentence(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "LEAST_FREE_BYTES", 1 << 62)
    with pytest.raises(StackError, match=r"is full .* free some space"):
        folder.make()


def test_a_folder_that_cannot_be_made_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StackError, match=r"cannot be written .* choose another with --data"):
        DataFolder(tmp_path / "file" / "data").make()
    with pytest.raises(StackError, match="has a comma in its path"):
        DataFolder(tmp_path / "a,b").make()


def test_the_folder_is_told_or_the_environments_or_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TAILRACE_DATA", raising=False)
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert find_folder().path == inner / ".tailrace"
    (tmp_path / ".tailrace").mkdir()
    assert find_folder().path == tmp_path / ".tailrace"
    monkeypatch.setenv("TAILRACE_DATA", "here")
    assert find_folder().path == inner / "here"
    assert find_folder(Path("/told")).path == Path("/told")


def test_a_disk_that_fills_up_while_starting_gets_a_sentence(folder: DataFolder) -> None:
    def fail(_: Endpoints) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(folder.kafka))

    with running(folder, [program(folder, "server")], steps=[Step("topics", fail)]) as run:
        pass
    assert isinstance(run.error, StackError)
    assert "is full: free some space" in str(run.error)
