"""`tailrace traces export` through the real entry point, against a real ClickHouse."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
from typing import TYPE_CHECKING, Any, cast

import pytest

from support.program import PROGRAM, environment
from support.traces import Journal, store
from tailrace.console.cli import main
from tailrace.sinks.clickhouse import ask, connect, tell

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Exported = Callable[..., tuple[int, bytes, bytes]]

ONE, TWO = "1" * 32, "2" * 32
HOSTILE = "\x9b31m \u202e 日本 \x1b[0m"


@pytest.fixture
def exported(
    clickhouse: str,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> Exported:
    monkeypatch.setenv("TAILRACE_CLICKHOUSE", clickhouse)
    monkeypatch.setenv("TAILRACE_DATABASE", database)
    one = Journal(ONE, "support", trace_id=ONE).started({"q": HOSTILE}).step("a", 1, 2).completed()
    two = Journal(TWO, "billing", trace_id=TWO).started("b")
    store(clickhouse, database, [*one.events, *two.events])

    def run(*arguments: str) -> tuple[int, bytes, bytes]:
        code = main(["traces", "export", *arguments])
        out, err = capfdbinary.readouterr()
        return code, out, err

    return run


def test_json_lines_hold_an_event_each_with_payloads_as_values(exported: Exported) -> None:
    code, out, err = exported()
    assert (code, err) == (0, b"")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [(row["trace_id"], row["seq"], row["kind"]) for row in rows] == [
        (ONE, 0, "run_started"),
        (ONE, 1, "step_completed"),
        (ONE, 2, "run_completed"),
        (TWO, 0, "run_started"),
    ]
    assert rows[0]["input"] == {"q": HOSTILE}
    assert (rows[1]["input"], rows[1]["output"]) == (1, 2)


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_filters_choose_whole_traces(
    clickhouse: str, database: str, exported: Exported, tmp_path: Path, form: str
) -> None:
    file = tmp_path / "out"
    code, out, err = exported("--outcome", "ok", "--format", form, "-o", str(file))
    assert (code, out) == (0, b"")
    assert err.endswith(f" in {file}\n".encode())
    if form == "parquet":
        rows = read_back(clickhouse, database, file.read_bytes())
    else:
        rows = [json.loads(line) for line in file.read_bytes().splitlines()]
    assert [(row["trace_id"], row["seq"]) for row in rows] == [(ONE, 0), (ONE, 1), (ONE, 2)]


def test_parquet_without_a_filter_holds_every_event(
    clickhouse: str, database: str, exported: Exported
) -> None:
    code, out, _ = exported("--format", "parquet")
    assert code == 0
    assert len(read_back(clickhouse, database, out)) == 4


def test_nothing_to_write_is_said(exported: Exported) -> None:
    code, out, err = exported("--component", "nobody")
    assert (code, out) == (0, b"")
    assert err == b"no execution is like that: there is nothing to write\n"


def test_a_file_appears_whole_or_not_at_all(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "out.jsonl"
    file.write_text("the old one")
    monkeypatch.setenv("TAILRACE_CLICKHOUSE", "http://127.0.0.1:1")
    code, _, err = exported("-o", str(file))
    assert code == 1
    assert err.startswith(b"error: no answer from ClickHouse")
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]
    assert file.read_text() == "the old one"


def test_a_failure_midway_leaves_the_old_file_and_no_part(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "out.parquet"
    file.write_text("the old one")
    monkeypatch.setenv("TAILRACE_DATABASE", "nowhere")
    code, _, err = exported("--format", "parquet", "-o", str(file))
    assert code == 1
    assert err.startswith(b"error: ")
    assert err.count(b"\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]
    assert file.read_text() == "the old one"


@pytest.mark.parametrize("target", ["", "missing/out.jsonl"])
def test_a_place_that_cannot_be_written_is_one_sentence(
    exported: Exported, tmp_path: Path, target: str
) -> None:
    code, _, err = exported("-o", str(tmp_path / target))
    assert code == 1
    assert err.startswith(b"error: ")
    assert err.count(b"\n") == 1


def test_a_terminal_gets_no_parquet_and_no_control_characters(
    clickhouse: str, database: str, exported: Exported, tmp_path: Path
) -> None:
    del exported  # it has stored the events
    variables = {"TAILRACE_CLICKHOUSE": clickhouse, "TAILRACE_DATABASE": database}
    code, _, err = on_terminal(["--format", "parquet"], tmp_path, variables)
    assert code == 64
    assert "Parquet is nothing for a terminal" in err
    code, seen, _ = on_terminal(["--component", "support"], tmp_path, variables)
    assert code == 0
    assert "\\u009b31m \\u202e 日本 \\u001b[0m" in seen
    assert "\x1b" not in seen
    assert "\x9b" not in seen


def read_back(url: str, database: str, parquet: bytes) -> list[dict[str, Any]]:
    """Return the rows of a Parquet file, as ClickHouse reads it into a table like `events`."""
    client = connect(url, database)
    tell(client, "CREATE TABLE copy AS events")
    cast("Any", client).raw_insert("copy", insert_block=parquet, fmt="Parquet")
    return ask(client, "SELECT * FROM copy ORDER BY trace_id, seq")


def on_terminal(
    arguments: list[str], data: Path, variables: dict[str, str]
) -> tuple[int, str, str]:
    """Run the export with a terminal as its standard output; its words and its exit code."""
    leader, follower = pty.openpty()
    exporter = subprocess.Popen(
        [*PROGRAM, "traces", "export", *arguments],
        stdout=follower,
        stderr=subprocess.PIPE,
        env=environment(data, variables),
    )
    os.close(follower)
    seen = b""
    try:
        with contextlib.suppress(OSError):  # how a terminal says that nobody writes to it any more
            while chunk := os.read(leader, 65536):
                seen += chunk
        _, err = exporter.communicate(timeout=60)
    finally:
        exporter.kill()
        os.close(leader)
    return exporter.returncode, seen.decode(), err.decode()
