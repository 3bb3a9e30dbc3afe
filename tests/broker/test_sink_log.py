"""`tailrace sink --log-format json`: every line is an object, and none holds a secret."""

from __future__ import annotations

import json
import signal
import subprocess
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from support.log import append
from support.program import PROGRAM, environment, tailrace
from tailrace.schemas.topics import RUNS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def variables(kafka: str, clickhouse: str, database: str, topic_prefix: str) -> dict[str, str]:
    return {
        "TAILRACE_KAFKA": kafka,
        "TAILRACE_CLICKHOUSE": clickhouse,
        "TAILRACE_DATABASE": database,
        "TAILRACE_PREFIX": topic_prefix,
    }


def test_every_line_is_an_object_with_time_level_logger_and_message(
    kafka: str, topic_prefix: str, tmp_path: Path, variables: dict[str, str]
) -> None:
    assert tailrace("topics", "apply", data=tmp_path, variables=variables).returncode == 0
    append(kafka, RUNS.name(topic_prefix), [b"no frame"])
    sink = subprocess.Popen(
        [*PROGRAM, "sink", "--log-format", "json", "--metrics-port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(tmp_path, variables),
    )
    try:
        assert sink.stderr is not None
        told: list[dict[str, Any]] = []
        while not any("dead_letters" in line for line in told):
            told.append(json.loads(sink.stderr.readline()))
        sink.send_signal(signal.SIGTERM)
        told += [json.loads(line) for line in sink.communicate(timeout=12)[1].splitlines()]
    finally:
        sink.kill()
    assert sink.returncode == 0
    for line in told:
        assert datetime.fromisoformat(line["time"]).tzinfo is not None
        assert {"level", "logger", "message"} <= set(line)
    messages = [line["message"] for line in told]
    assert messages[0].startswith("metrics on http://127.0.0.1:")
    assert messages[1] == "the sink starts; SIGTERM or Ctrl-C stops it"
    (letter,) = [line for line in told if "last one" in line["message"]]
    assert (letter["level"], letter["logger"]) == ("warning", "tailrace.sink")
    assert letter["dead_letters"] == 1
    assert f"{topic_prefix}runs:0:0" in letter["message"]
    assert told[-1]["message"].startswith("stopped: ")
    assert told[-1]["dead_letters"] == 1


def test_the_reason_to_end_is_a_line_too_and_no_password_is_in_any(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    assert tailrace("topics", "apply", data=tmp_path, variables=variables).returncode == 0
    dead = {**variables, "TAILRACE_CLICKHOUSE": "http://someone:geheim@127.0.0.1:1"}
    run = tailrace("sink", "--log-format", "json", data=tmp_path, variables=dead)
    assert run.returncode == 1
    last = json.loads(run.stderr.splitlines()[-1])
    assert (last["level"], last["logger"]) == ("error", "tailrace.sink")
    assert last["message"].startswith("no answer from ClickHouse at 127.0.0.1:1")
    assert [json.loads(line) for line in run.stderr.splitlines()]
    assert "geheim" not in run.stderr
