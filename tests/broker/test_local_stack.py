"""The whole local stack through its command line, with both real servers."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from support.log import append, read_all
from support.log_journal import fleet, write
from support.program import PROGRAM, environment, status, tailrace
from support.stack import query
from support.waiting import wait_until
from tailrace.console.local.folder import DataFolder
from tailrace.console.local.processes import ProcessId, is_alive, wait_gone
from tailrace.console.local.record import StackRecord, read_record
from tailrace.schemas.topics import DEFAULT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@pytest.fixture
def data(tmp_path: Path) -> Generator[Path]:
    """A data folder whose stack, if a test leaves one, is ended; its name is a hard one."""
    data = tmp_path / "dätä of 日本 𝄞"
    yield data
    tailrace("down", data=data)


def record(data: Path) -> StackRecord:
    found = read_record(DataFolder(data).record)
    assert found is not None
    return found


def processes(data: Path) -> list[ProcessId]:
    return list(record(data).processes.values())


def test_a_stack_lives_from_up_to_down_and_goes_on_where_it_ended(data: Path) -> None:
    up = tailrace("up", "--detach", data=data)
    assert up.returncode == 0, up.stderr
    first = status(data)
    assert first["running"]
    assert first["serving"] == dict.fromkeys(("kafka", "clickhouse", "sink", "stream"), True)
    for address in (first["kafka"], first["clickhouse"]):
        assert address in up.stdout
    append(first["kafka"], "kept", [b"one", b"two"])
    query(first["clickhouse"], "CREATE TABLE kept (n Int64) ENGINE = MergeTree ORDER BY n")
    query(first["clickhouse"], "INSERT INTO kept SELECT number FROM numbers(1000)")

    second = tailrace("up", "--detach", data=data)
    assert second.returncode == 0
    assert second.stdout.startswith("already running since")
    assert first["kafka"] in second.stdout
    other_port = tailrace("up", "--detach", "--kafka-port", "1", data=data)
    assert other_port.returncode == 1
    assert "stop the stack with `tailrace down` first" in other_port.stderr
    refused = tailrace("backup", str(data.parent / "b.tar.zst"), data=data)
    assert refused.returncode == 1
    assert "stop it with `tailrace down`" in refused.stderr

    ours = processes(data)
    assert set(record(data).processes) == {"supervisor", "kafka", "clickhouse", "sink", "stream"}
    down = tailrace("down", data=data)
    assert (down.returncode, down.stderr) == (0, "")
    assert not any(is_alive(process) for process in ours)
    assert not (data / "stack.json").exists()
    assert tailrace("status", data=data).returncode == 1

    file = data.parent / "b.tar.zst"
    assert tailrace("backup", str(file), data=data).returncode == 0
    elsewhere = data.parent / "elsewhere"
    assert tailrace("restore", str(file), data=elsewhere).returncode == 0
    try:
        assert tailrace("up", "-d", data=elsewhere).returncode == 0
        again = status(elsewhere)
        # The restored stack also finds its former ports free, so it serves where the first did.
        assert (again["kafka"], again["clickhouse"]) == (first["kafka"], first["clickhouse"])
        assert read_all(again["kafka"], "kept", count=2) == [b"one", b"two"]
        assert query(again["clickhouse"], "SELECT sum(n) FROM kept").strip() == "499500"
    finally:
        tailrace("down", data=elsewhere)


def test_a_killed_broker_comes_back_and_a_killed_supervisor_leaves_nothing(data: Path) -> None:
    assert tailrace("up", "--detach", data=data).returncode == 0
    before = record(data)
    append(before.addresses["kafka"], "kept", [b"one"])
    url = before.addresses["clickhouse"]
    query(url, "CREATE TABLE kept (n Int64) ENGINE = MergeTree ORDER BY n")
    query(url, "INSERT INTO kept VALUES (7)")
    os.kill(before.processes["kafka"].pid, signal.SIGKILL)
    wait_until(lambda: record(data).restarts == {"kafka": 1}, "the broker is restarted")
    wait_until(
        lambda: record(data).processes.get("kafka") not in {None, before.processes["kafka"]},
        "the new broker is recorded",
    )
    wait_until(lambda: bool(status(data)["running"]), "the new broker serves")
    assert status(data)["kafka"] == before.addresses["kafka"]
    assert read_all(before.addresses["kafka"], "kept", count=1) == [b"one"]

    ours = processes(data)
    os.kill(before.processes["supervisor"].pid, signal.SIGKILL)
    for process in ours:
        assert wait_gone(process, 20), f"{process} outlived its supervisor"
    assert (data / "stack.json").exists()
    stale = tailrace("status", data=data)
    assert stale.returncode == 1
    assert "nothing runs on" in stale.stdout
    assert "the last stack was killed" in stale.stdout

    assert tailrace("up", "--detach", data=data).returncode == 0
    after = status(data)
    assert read_all(after["kafka"], "kept", count=1) == [b"one"]
    assert query(after["clickhouse"], "SELECT n FROM kept").strip() == "7"


def test_in_the_foreground_an_interrupt_stops_everything(
    data: Path, clickhouse: str, database: str
) -> None:
    url = clickhouse.replace("://", "://default:not-for-files@")
    given = {"TAILRACE_CLICKHOUSE": url, "TAILRACE_DATABASE": database}
    with subprocess.Popen(
        [*PROGRAM, "up"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(data, given),
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        lines: list[str] = []
        for line in program.stdout:
            lines.append(line)
            if line.startswith("ready"):
                break
        assert "clickhouse: not started: TAILRACE_CLICKHOUSE names another\n" in lines
        ours = processes(data)
        assert set(record(data).processes) == {"supervisor", "kafka", "sink", "stream"}
        program.send_signal(signal.SIGINT)
        assert "the stack is stopped\n" in program.stdout.readlines()
        assert program.wait(30) == 0
        assert program.stderr.read() == ""
    assert not any(is_alive(process) for process in ours)
    for file in data.rglob("*"):
        assert not file.is_file() or b"not-for-files" not in file.read_bytes(), file


def test_killed_workers_are_started_again_and_miss_nothing_of_what_came_meanwhile(
    data: Path,
) -> None:
    assert tailrace("up", "--detach", data=data).returncode == 0
    before = record(data)
    kafka, url = before.addresses["kafka"], before.addresses["clickhouse"]
    write(kafka, DEFAULT_PREFIX, fleet(2))
    wait_until(lambda: stored(url) == 2 * 5, "the first events are stored")

    workers = ("sink", "stream")
    for name in workers:
        os.kill(before.processes[name].pid, signal.SIGKILL)
    records = fleet(20)
    write(kafka, DEFAULT_PREFIX, records)
    wait_until(lambda: record(data).restarts == dict.fromkeys(workers, 1), "both are restarted")
    wait_until(
        lambda: all(
            record(data).processes.get(name) not in {None, before.processes[name]}
            for name in workers
        ),
        "the new ones are recorded",
    )
    wait_until(lambda: stored(url) == 10 + len(records), "what came meanwhile is stored once")
    wait_until(lambda: ended(url) == 22, "every execution is told to have ended", poll_s=0.2)
    assert status(data)["restarts"] == dict.fromkeys(workers, 1)
    said = tailrace("status", data=data)
    assert said.returncode == 0
    (line,) = (line for line in said.stdout.splitlines() if " sink " in line)
    assert line.endswith("1 restart")


def stored(url: str) -> int:
    return int(query(url, "SELECT count() FROM tailrace.events"))


def test_a_start_that_fails_says_why_with_exit_code_1_and_leaves_nothing(
    data: Path, tmp_path: Path
) -> None:
    for variables, said in (
        ({"JAVA_HOME": str(tmp_path)}, "the Java of JAVA_HOME"),
        ({"TAILRACE_CACHE": "/proc/none"}, "the cache folder /proc/none/jars cannot be made"),
    ):
        up = tailrace("up", "--detach", data=data, variables=variables)
        assert up.returncode == 1
        assert up.stderr.startswith("error: ")
        assert said in up.stderr
        assert up.stderr.count("\n") == 1
        assert not (data / "stack.json").exists()
        assert not DataFolder(data).is_running()


def ended(url: str) -> int:
    return int(query(url, "SELECT uniqExact(trace_id) FROM tailrace.traces"))
