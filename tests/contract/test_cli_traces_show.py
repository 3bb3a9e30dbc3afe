"""`tailrace traces show` through the real entry point, against a real ClickHouse."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from support.traces import TRACE, Journal, store
from tailrace.console.cli import main
from tailrace.sinks.clickhouse import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    Shown = Callable[..., tuple[int, str, str]]

ROOT, OTHER = "1" * 32, "2" * 32
HOSTILE = (
    "\x1b[2J\x1b]0;pwned\x07\x9b31m[bold red]markup[/bold red] [/] :smile: \x00 \u202eevil "
    "👨\u200d👩\u200d👧 שלום مرحبا 日本語 " + "w" * 500
)


@pytest.fixture
def shown(
    clickhouse: str,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Shown:
    monkeypatch.setenv("TAILRACE_CLICKHOUSE", clickhouse)
    monkeypatch.setenv("TAILRACE_DATABASE", database)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["traces", "show", *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_a_stored_trace_is_shown_with_its_bodies_put_in(
    clickhouse: str, database: str, shown: Shown
) -> None:
    long = "long " * 3000
    digest = hashlib.sha256(json.dumps(long).encode()).hexdigest()
    journal = Journal(ROOT).started({"question": "Where is it?"})
    journal.step("look", {"text": {"$body": digest}}, "here", bodies=(digest,)).completed("done")
    store(clickhouse, database, journal.events, {digest: json.dumps(long)})
    code, out, err = shown(TRACE[:30])
    assert (code, err) == (0, "")
    assert (
        out
        == f"""\
trace {TRACE}  1 execution, 1 run, 3 events
✓ run support  ok  2.0s  1 step  dev  2026-11-22 12:00:01Z
│  run {ROOT}
│  in   question: "Where is it?"
│  out  done
└─ ✓ tool look  12ms  look#0
      in   text: "long long long long long long long long long long long long
           long long long long long long long long long long long long long long
           long long long long long long long long long long long long long long
           … +14,801 characters
      out  here
"""
    )


@pytest.mark.parametrize("options", [(), ("--full",), ("--raw",), ("--json",), ("--raw", "--json")])
def test_hostile_content_reaches_nobody_raw(
    clickhouse: str, database: str, shown: Shown, options: tuple[str, ...]
) -> None:
    journal = Journal(ROOT, HOSTILE, session=HOSTILE, tags=(HOSTILE,)).started(HOSTILE)
    say = {"role": HOSTILE, "content": HOSTILE}
    journal.step(HOSTILE, {"messages": [say]}, say, step_kind="llm", model=HOSTILE)
    journal.step_failed(
        HOSTILE, HOSTILE, error_type=HOSTILE, error_message=HOSTILE, error_stack=HOSTILE
    )
    journal.step("big", "x" * 1_000_000, {"$cut": {"size_bytes": 9, "head": "\x1b", "tail": ""}})
    journal.events[0] = journal.events[0].model_copy(update={"attributes": {HOSTILE: HOSTILE}})
    store(clickhouse, database, journal.events)
    code, out, err = shown(TRACE, *options)
    assert (code, err) == (0, "")
    assert not [c for c in out if unicodedata.category(c) in {"Cc", "Cs"} and c != "\n"]
    assert "\u202e" not in out
    if options == ("--full",):
        assert "[bold red]markup[/bold red] [/] :smile:" in out
        assert "␛[2J␛]0;pwned␇<U+009B>31m" in out
        assert len(out) > 1_000_000
    if not options:
        assert len(out) < 20_000


@pytest.mark.parametrize("options", [(), ("--full",), ("--raw",), ("--json",), ("--raw", "--json")])
def test_json_that_is_nested_however_deep_is_shown(
    clickhouse: str, database: str, shown: Shown, options: tuple[str, ...]
) -> None:
    """Around each depth at which one of the readers gives up there is one."""
    journal = Journal(ROOT).started()
    depths = [*range(150, 1_050, 30), 20_000]
    shapes = (
        ("[", "]", "tool"),
        ('{"messages":[', "]}", "llm"),
        ('[{"role":"user","content":', "}]", "llm"),
    )
    steps = [
        (f"deep#{depth}{kind}{opened[0]}", opened * depth + closed * depth, kind)
        for depth in depths
        for opened, closed, kind in shapes
    ]
    for key, text, kind in steps:
        journal.step("deep", step_kind=kind, step_key=key)
        update = {"input": text, "output": text, "attributes": {"text": text}}
        journal.events[-1] = journal.events[-1].model_copy(update=update)
    body = "[" * 5_000 + "]" * 5_000
    digest = hashlib.sha256(body.encode()).hexdigest()
    journal.step("last", {"$body": digest}, bodies=(digest,)).completed()
    store(clickhouse, database, journal.events, {digest: body})
    code, out, err = shown(TRACE, *options)
    assert (code, err) == (0, "")
    assert out.count("deep") >= len(steps)


def test_the_json_document_reads_back(clickhouse: str, database: str, shown: Shown) -> None:
    journal = Journal(ROOT).started({"q": HOSTILE}).step("a", 1, [2]).completed({"a": None})
    store(clickhouse, database, journal.events)
    code, out, _ = shown(TRACE, "--json")
    assert code == 0
    (execution,) = json.loads(out)["executions"]
    (run,) = execution["runs"]
    assert (run["input"], run["output"]) == ({"q": HOSTILE}, {"a": None})
    assert run["steps"][0]["output"] == [2]


def test_an_abandoned_execution_says_where_it_was_until_something_comes(
    clickhouse: str, database: str, shown: Shown, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = Journal(ROOT).started("a")
    seen = datetime.now(UTC) - timedelta(hours=1)
    store(clickhouse, database, journal.events, broker_ts=seen)
    row = {
        "trace_id": TRACE,
        "root_run_id": ROOT,
        "status": "abandoned",
        "component": "support",
        "closed_at": seen + timedelta(minutes=10),
        "runs": [ROOT],
        "open_runs": [ROOT],
        "last_step": "look#0",
        "last_seen_at": seen,
    }
    connect(clickhouse, database).insert("traces", [list(row.values())], column_names=list(row))
    assert main(["traces", "ls", "--status", "abandoned", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "abandoned"
    _, out, _ = shown(TRACE)
    said = f"? abandoned: run {ROOT} gave no sign of life after {seen:%Y-%m-%d %H:%M:%S}Z"
    assert " ".join(out.splitlines()[1:3]).startswith(said)
    (execution,) = json.loads(shown(TRACE, "--json")[1])["executions"]
    assert execution["abandoned"]["last_step"] == "look#0"
    store(clickhouse, database, journal.step("a", 1, [2]).events[1:], broker_ts=datetime.now(UTC))
    assert "abandoned" not in shown(TRACE)[1]


def test_raw_events_name_their_places_in_the_log(
    clickhouse: str, database: str, shown: Shown
) -> None:
    journal = Journal(ROOT).started().step("a").completed()
    store(clickhouse, database, journal.events)
    code, out, _ = shown(TRACE, "--raw")
    assert code == 0
    places = [line.split()[0] for line in out.splitlines()[1:]]
    assert places == [f"tailrace.steps:0:{offset}" for offset in range(3)]
    _, out, _ = shown(TRACE, "--raw", "--json")
    rows: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
    assert [(row["seq"], row["offset"], row["kind"]) for row in rows] == [
        (0, 0, "run_started"),
        (1, 1, "step_completed"),
        (2, 2, "run_completed"),
    ]
    assert rows[0]["ts"] == "2026-11-22T12:00:01Z"


def test_executions_of_one_trace_stand_one_after_the_other(
    clickhouse: str, database: str, shown: Shown
) -> None:
    first = Journal(ROOT).started().completed()
    second = Journal(OTHER, attempt=1, replay_of=ROOT).started()
    store(clickhouse, database, [*second.events, *first.events])
    _, out, _ = shown(TRACE)
    assert out.splitlines()[0] == f"trace {TRACE}  2 executions, 2 runs, 3 events"
    assert "\n\n▸ run support  open for " in out
    assert f"attempt 1  replay of {ROOT[:12]}" in out


def test_a_kind_that_a_newer_producer_wrote_is_said(
    clickhouse: str, database: str, shown: Shown
) -> None:
    journal = Journal(ROOT).started().completed()
    newer = journal.events[0].model_copy(update={"kind": "run_paused", "seq": 9})
    store(clickhouse, database, [*journal.events, newer])
    code, out, _ = shown(TRACE)
    assert code == 0
    assert "gap  event (run '1111" in out
    assert "unknown kind 'run_paused'" in out


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("0", "error: several traces begin with 0: "),
        ("abc", "error: no trace abc is stored"),
        ("no id", "error: 'no id' is no trace id"),
    ],
)
def test_a_wrong_id_is_one_sentence(
    clickhouse: str, database: str, shown: Shown, wanted: str, said: str
) -> None:
    other = Journal(OTHER, trace_id="0" * 31 + "1").started()
    store(clickhouse, database, [*Journal(ROOT).started().events, *other.events])
    code, out, err = shown(wanted)
    assert (code, out) == (1, "")
    assert err.startswith(said)
    assert err.count("\n") == 1


def test_a_dead_server_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TAILRACE_CLICKHOUSE", "http://127.0.0.1:1")
    assert main(["traces", "show", TRACE]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: no answer from ClickHouse at 127.0.0.1:1: is it running?")
    assert err.count("\n") == 1
