"""`tailrace import` as people run it, without servers: dry runs, refused lines, wrong usage."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from support.trajectories import small_talk, write_lines
from tailrace.console.cli import main
from tailrace.console.importing.identity import Grouping
from tailrace.console.importing.importer import BATCH_RUNS, Importer, Summary
from tailrace.console.importing.plan import Plan
from tailrace.console.importing.times import file_time
from tailrace.producers.deployments.manifest import deployment_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tailrace.console.importing.journal import RecordedRun

GROUPED = ["--trace-by", "task_id", "--attempt-by", "trial", "--deployment-by", "trial"]
SIX = [small_talk(task, trial) for task in range(3) for trial in range(2)]


class Memory:
    """A destination that keeps what it is given, and may break."""

    def __init__(self) -> None:
        self.runs: dict[str, RecordedRun] = {}
        self.deployments: list[str] = []
        self.batches: list[int] = []
        self.breaks_after: int | None = None

    async def known(self, run_ids: Iterable[str]) -> set[str]:
        return self.runs.keys() & set(run_ids)

    async def register(self, manifest: dict[str, Any], label: str) -> None:
        assert label
        self.deployments.append(deployment_id(manifest))

    async def publish(self, runs: Sequence[RecordedRun]) -> None:
        if self.breaks_after is not None and len(self.batches) >= self.breaks_after:
            raise ConnectionError
        self.batches.append(len(runs))
        self.runs.update((run.events[0].run.run_id, run) for run in runs)


def imported(path: Path, memory: Memory, **how: Any) -> Summary:
    grouping = Grouping("a", "support", "task_id", "trial", "trial")
    plan = Plan(path.name, grouping, "recorded", file_time(path))
    return asyncio.run(Importer(plan, memory, **how).run(path))


def test_a_second_import_adds_nothing(tmp_path: Path) -> None:
    path, memory = write_lines(tmp_path / "a.jsonl", SIX), Memory()
    first, second = imported(path, memory), imported(path, memory)
    assert (first.runs, first.messages, first.known) == (6, 48, 0)
    assert (second.runs, second.messages, second.events, second.known) == (0, 0, 0, 6)
    assert len(memory.runs) == 6


def test_attempts_are_executions_of_one_trace_on_a_deployment_each(tmp_path: Path) -> None:
    memory = Memory()
    imported(write_lines(tmp_path / "a.jsonl", SIX), memory)
    runs = [run.events[0].run for run in memory.runs.values()]
    assert len({run.trace_id for run in runs}) == 3
    assert [run.attempt for run in runs] == [0, 1] * 3
    assert {run.deployment for run in runs} == set(memory.deployments)
    assert len(memory.deployments) == 2
    for run in runs:
        assert run.root_run_id == run.run_id
        assert (run.replay_of, run.retry_of) == ("", "")


def test_an_import_that_broke_off_goes_on_where_it_stopped(tmp_path: Path) -> None:
    lines = [small_talk(task, 0) for task in range(2 * BATCH_RUNS + 3)]
    path, memory = write_lines(tmp_path / "a.jsonl", lines), Memory()
    memory.breaks_after = 1
    with pytest.raises(ConnectionError):
        imported(path, memory)
    memory.breaks_after = None
    summary = imported(path, memory)
    assert (summary.known, summary.runs) == (BATCH_RUNS, BATCH_RUNS + 3)
    assert max(memory.batches) == BATCH_RUNS


def test_a_line_that_stands_twice_is_one_run(tmp_path: Path) -> None:
    summary = imported(write_lines(tmp_path / "a.jsonl", [SIX[0], SIX[1], SIX[0]]), Memory())
    assert (summary.runs, summary.known) == (2, 1)


def test_a_limit_stops_after_so_many_conversations(tmp_path: Path) -> None:
    summary = imported(write_lines(tmp_path / "a.jsonl", [b"{", *SIX]), Memory(), limit=2)
    assert (summary.runs, len(summary.refusals)) == (2, 1)


def test_a_dry_run_counts_and_needs_no_server(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAILRACE_KAFKA", "127.0.0.1:1")
    path = write_lines(tmp_path / "a.jsonl.gz", SIX)
    assert main(["import", str(path), "--dry-run", *GROUPED]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("dry run, nothing written: 6 runs, 48 messages → 42 events, ")
    assert out.endswith(" bodies\n0 runs already there, 0 lines refused\n")
    assert max(map(len, out.splitlines())) <= 80
    assert err == ""


def test_refused_lines_are_named_and_the_rest_is_imported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = {"task_id": 1, "trial": 0, "traj": list[Any]()}
    lines: list[Any] = [SIX[0], b"{", empty, b"", {"traj": [{"role": "user"}]}]
    path = write_lines(tmp_path / "a.jsonl", lines)
    assert main(["import", str(path), "--dry-run", *GROUPED]) == 1
    out, err = capsys.readouterr()
    assert ": 1 run, 8 messages " in out
    assert out.endswith(", 3 lines refused\n")
    assert [line.partition(": ")[0] for line in err.splitlines()] == [
        f"{path}:{number}" for number in (2, 3, 5)
    ]
    assert "its field 'task_id'" in err


def test_a_gzip_that_breaks_off_keeps_its_good_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.jsonl.gz"
    text = b"".join(json.dumps(line).encode() + b"\n" for line in SIX)
    path.write_bytes(gzip.compress(text)[:-200])
    assert main(["import", str(path), "--dry-run"]) == 1
    out, err = capsys.readouterr()
    assert "breaks off" in err
    assert "Traceback" not in err
    assert "runs" in out


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["none.jsonl"], 1, "there is no file none.jsonl"),
        ([], 64, "missing argument"),
        (["--format", "xml", "a"], 64, "xml"),
        (["--limit", "0", "a"], 64, "--limit"),
        (["--recorded-at", "soon", "a"], 64, "soon"),
        (["a", "b"], 64, "b"),
    ],
)
def test_wrong_usage_is_one_sentence(
    arguments: list[str], code: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["import", *arguments]) == code
    err = capsys.readouterr().err
    assert sentence in err
    assert err.count("\n") == 1


def test_a_dead_server_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAILRACE_KAFKA", "127.0.0.1:1")
    assert main(["import", str(write_lines(tmp_path / "a.jsonl", SIX))]) == 1
    err = capsys.readouterr().err
    assert "is Kafka running?" in err
    assert err.count("\n") == 1


def test_times_are_the_lines_own_or_stand_in_and_say_so(tmp_path: Path) -> None:
    timed = {**small_talk(8, 0), "created_at": "2025-06-01T12:00:00+02:00"}
    epoch = {**small_talk(9, 0), "timestamp": 1_748_772_000_500}
    path, memory = write_lines(tmp_path / "a.jsonl", [SIX[0], timed, epoch]), Memory()
    imported(path, memory)
    plain, own, millis = (run.events[0] for run in memory.runs.values())
    assert plain.ts == file_time(path).at
    assert plain.attributes["times"].startswith("not recorded")
    assert own.ts.isoformat() == "2025-06-01T10:00:00+00:00"
    assert millis.ts.isoformat() == "2025-06-01T10:00:00.500000+00:00"
    assert "'timestamp'" in millis.attributes["times"]
