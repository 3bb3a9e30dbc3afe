"""`tailrace traces ls` through the real entry point, against a real ClickHouse."""

from __future__ import annotations

import json
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from support.program import PROGRAM, environment
from support.traces import Journal, store
from tailrace.console.cli import main
from tailrace.console.cli.traces import moment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Listed = Callable[..., tuple[int, str, str]]

ONE, TWO, THREE = ("1" * 32, "2" * 32, "3" * 32)
_WAIT_S = 60


@pytest.fixture
def listed(
    clickhouse: str,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Listed:
    monkeypatch.setenv("TAILRACE_CLICKHOUSE", clickhouse)
    monkeypatch.setenv("TAILRACE_DATABASE", database)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["traces", "ls", *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def journal(run_id: str, component: str, **fields: object) -> Journal:
    return Journal(run_id, component, trace_id=run_id, **fields)


@pytest.fixture
def three(clickhouse: str, database: str) -> None:
    """A complete execution, a failed one with a hole, and one that is open."""
    done = journal(ONE, "support", session="s1", tags=("vip", "eu"), environment="prod")
    done.started({"question": "Where is my parcel?"})
    done.step("chat", 1, 2, step_kind="llm", input_tokens=900, output_tokens=100, cost_usd=0.02)
    done.completed("in Bonn")
    holed = journal(TWO, "support", attempt=2).started("b").step("a").failed("KeyError", "nope")
    going = journal(THREE, "billing").started("c")
    events = [*done.events, *going.events, holed.events[0], holed.events[2]]
    store(clickhouse, database, events)


@pytest.mark.usefixtures("three")
def test_a_pipe_gets_plain_lines_with_whole_ids(listed: Listed) -> None:
    code, out, err = listed()
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    heading, *lines = [line.split() for line in out.splitlines()]
    assert heading[:4] == ["id", "component", "age", "outcome"]
    assert {line[0] for line in lines} == {ONE, TWO, THREE}
    told = {line[0]: " ".join(line[1:]) for line in lines}
    assert told[ONE].startswith("support ")
    assert told[ONE].endswith("✓ ok 2.0s 1 1.0k $0.020 Where is my parcel?")
    assert "support #2" in told[TWO]
    assert "✗ failed, ended" in told[TWO]
    assert "▸ open" in told[THREE]


@pytest.mark.usefixtures("three")
def test_a_width_that_is_told_holds_in_a_pipe_too(listed: Listed) -> None:
    code, out, err = listed("--width", "60")
    assert (code, err) == (0, "")
    assert [len(line) <= 60 for line in out.splitlines()] == [True] * 4
    assert ONE not in out


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["--component", "support"], {ONE, TWO}),
        (["--environment", "prod"], {ONE}),
        (["--session", "s1"], {ONE}),
        (["--tag", "eu"], {ONE}),
        (["--status", "open"], {THREE}),
        (["--status", "ended"], {TWO}),
        (["--status", "complete"], {ONE}),
        (["--outcome", "failed"], {TWO}),
        (["--text", "PARCEL"], {ONE}),
        (["--since", "2026-11-22T12:00:00+00:00"], {ONE, TWO, THREE}),
        (["--since", "2126-11-22"], set[str]()),
        (["--component", "support", "--outcome", "ok"], {ONE}),
    ],
)
def test_filters_choose(listed: Listed, filters: list[str], found: set[str]) -> None:
    code, out, err = listed("--json", *filters)
    assert code == 0
    assert {json.loads(line)["trace_id"] for line in out.splitlines()} == found
    assert ("no execution is like that" in err) == (not found)


@pytest.mark.usefixtures("three")
def test_limit_keeps_the_newest(listed: Listed) -> None:
    _, out, _ = listed("--json", "--limit", "2")
    assert len(out.splitlines()) == 2


def test_an_empty_database_says_what_to_do(clickhouse: str, database: str, listed: Listed) -> None:
    code, out, err = listed()
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert "start `tailrace sink`" in err
    store(clickhouse, database, [])
    code, out, err = listed()
    assert (code, out) == (0, "")
    assert err.startswith("nothing is stored yet")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("30s", datetime(2026, 11, 22, 11, 59, 30, tzinfo=UTC)),
        (" 10m ", datetime(2026, 11, 22, 11, 50, tzinfo=UTC)),
        ("3d", datetime(2026, 11, 19, 12, tzinfo=UTC)),
        ("1w", datetime(2026, 11, 15, 12, tzinfo=UTC)),
        ("2026-11-22T14:00+02:00", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("2026-11-22T14:00:00Z", datetime(2026, 11, 22, 14, tzinfo=UTC)),
        ("2026-11-22", datetime(2026, 11, 22).astimezone(UTC)),
    ],
)
def test_a_time_is_said_as_an_age_or_in_iso_form(text: str, meant: datetime) -> None:
    assert moment(text, datetime(2026, 11, 22, 12, tzinfo=UTC)) == meant


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--since", "yesterday"], "'yesterday' is no time: say 30s, 10m"),
        (["--since", "999999999w"], "is no time"),
        (["--status", "done"], "'done' is none of open, ended, complete, abandoned"),
        (["--outcome", "won"], "'won' is none of ok, failed, cancelled"),
        (["--limit", "0"], "--limit"),
    ],
)
def test_wrong_usage_is_one_sentence_and_64(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["traces", "ls", *arguments]) == 64
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert said in err
    assert err.count("\n") == 1


def test_following_prints_what_is_new_and_what_changed_until_it_is_interrupted(
    clickhouse: str, database: str, tmp_path: Path
) -> None:
    going = journal(ONE, "support").started("a")
    store(clickhouse, database, going.events, broker_ts=datetime.now(UTC) - timedelta(hours=1))
    variables = {"TAILRACE_CLICKHOUSE": clickhouse, "TAILRACE_DATABASE": database}
    follower = subprocess.Popen(
        [*PROGRAM, "traces", "ls", "--follow", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(tmp_path, variables),
    )
    assert follower.stdout is not None
    try:
        assert told(follower) == (ONE, "open")
        store(clickhouse, database, journal(TWO, "billing").started("b").events)
        assert told(follower) == (TWO, "open")
        store(clickhouse, database, going.completed("done").events[1:])
        assert told(follower) == (ONE, "complete")
        follower.send_signal(signal.SIGINT)
        out, err = follower.communicate(timeout=_WAIT_S)
    finally:
        follower.kill()
    assert (follower.returncode, out, err) == (130, "", "")


def told(follower: subprocess.Popen[str]) -> tuple[str, str]:
    assert follower.stdout is not None
    row = json.loads(follower.stdout.readline())
    return row["trace_id"], row["status"]
