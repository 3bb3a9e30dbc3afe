"""The whole way: agents and recordings → log → `tailrace sink` → `tailrace traces`, counted."""

from __future__ import annotations

import asyncio
import io
import json
import re
import signal
import subprocess
import sys
import uuid
from collections import Counter, defaultdict
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from support import way_agents
from support.journal import assert_whole, read_events
from support.log_journal import run_records, write
from support.program import PROGRAM, environment, tailrace
from support.stack import query
from support.trajectories import recordings, small_talk, write_lines
from support.waiting import wait_until
from tailrace.console.cli import main
from tailrace.console.importing.lines import read_lines
from tailrace.console.importing.trajectory import parse_trajectory
from tailrace.console.report.printable import printable
from tailrace.sinks.sink import SinkOptions, wait_until_stored

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from support.trajectories import Message

GROUPED = ("--trace-by", "task_id", "--attempt-by", "trial", "--deployment-by", "trial")
STORED_S = 60.0
# What `show` draws beside the text: it is laid out anew, so only the signs of the text count.
LAYOUT = re.compile(r"[\s│├└─‥]+")


@dataclass(frozen=True)
class Way:
    """A log and a database of one test module, with a sink between them."""

    kafka: str
    clickhouse: str
    prefix: str
    database: str
    folder: Path

    @property
    def sink_log(self) -> Path:
        return self.folder / "sink.log"

    @property
    def variables(self) -> dict[str, str]:
        return {
            "TAILRACE_KAFKA": self.kafka,
            "TAILRACE_CLICKHOUSE": self.clickhouse,
            "TAILRACE_PREFIX": self.prefix,
            "TAILRACE_DATABASE": self.database,
        }

    def run(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return tailrace(*words, data=self.folder, variables={**self.variables, **variables})

    def done(self, *words: str) -> str:
        run = self.run(*words)
        assert (run.returncode, run.stderr) == (0, ""), words
        return run.stdout

    def listed(self, *words: str) -> list[dict[str, Any]]:
        said = self.done("traces", "ls", "--json", "-n", "1000", *words)
        return [json.loads(line) for line in said.splitlines()]

    def ask(self, sql: str, **parameters: str) -> str:
        bound = {f"param_{name}": value for name, value in parameters.items()}
        told = urlencode({"database": self.database, **bound})
        return query(f"{self.clickhouse}/?{told}", sql).strip()

    def wait_until_stored(self) -> None:
        options = SinkOptions(self.kafka, self.clickhouse, self.database, self.prefix)
        asyncio.run(wait_until_stored(options, STORED_S))


@pytest.fixture(scope="module")
def way(kafka: str, clickhouse: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[Way]:
    name = f"t{uuid.uuid4().hex[:12]}"
    query(clickhouse, f"CREATE DATABASE {name}")
    way = Way(kafka, clickhouse, f"{name}.", name, tmp_path_factory.mktemp("way"))
    way.done("topics", "apply")
    with way.sink_log.open("w", encoding="utf-8") as log:
        sink = subprocess.Popen(
            [*PROGRAM, "sink"], stderr=log, env=environment(way.folder, way.variables)
        )
    try:
        yield way
        sink.send_signal(signal.SIGTERM)
        assert sink.wait(30) == 0
    finally:
        sink.kill()
        query(clickhouse, f"DROP DATABASE {name}")
    assert "error" not in way.sink_log.read_text(encoding="utf-8")


def test_agents_that_end_in_every_way_are_stored_once_and_read_back(way: Way) -> None:
    program = [sys.executable, way_agents.__file__]
    env = environment(way.folder, way.variables)
    agents = subprocess.run(program, env=env, check=False, capture_output=True, text=True)
    assert (agents.returncode, agents.stdout) == (0, ""), agents.stderr
    way.wait_until_stored()

    events = read_events(way.kafka, way.prefix)
    assert_whole(events)
    counted = "SELECT count(), uniqExact(run_id, seq) FROM events"
    assert way.ask(counted) == f"{len(events)}\t{len(events)}"

    rows = way.listed()
    found = Counter((row["component"], row["outcome"], row["status"]) for row in rows)
    expected = {(name, how, "complete"): n for name, (n, how) in way_agents.ROOTS.items()}
    assert found == {**expected, (way_agents.ALONE, "ok", "complete"): 1}
    for outcome, count in (("failed", 4), ("cancelled", 3), ("ok", 21)):
        assert len(way.listed("--outcome", outcome)) == count

    one = next(row["trace_id"] for row in rows if row["component"] == "support")
    shown = way.done("traces", "show", one)
    below = shown.partition("─ ")[2]
    told = ["tool find", "run checked", "tool refund", "no payment", "llm answer", "It is sent."]
    assert reads_like(below, told)
    assert not reads_like(below, told[::-1])
    exported = [json.loads(line) for line in way.done("traces", "export").splitlines()]
    assert Counter((row["run_id"], row["seq"]) for row in exported) == Counter(
        (event["run_id"], event["seq"]) for event in events
    )


def test_an_execution_that_has_not_ended_is_open_and_one_with_a_gap_is_no_more_than_ended(
    way: Way,
) -> None:
    going = run_records(end=None, component="going")
    holed = run_records(component="holed")
    write(way.kafka, way.prefix, [*going, holed[0], *holed[2:]])
    way.wait_until_stored()
    assert [row["component"] for row in way.listed("--status", "open")] == ["going"]
    assert [row["component"] for row in way.listed("--status", "ended")] == ["holed"]
    (row,) = way.listed("--status", "ended")
    assert "gap " in way.done("traces", "show", row["trace_id"])


def test_recordings_lose_no_message_and_read_like_the_conversations_they_were(
    way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in way.variables.items():
        monkeypatch.setenv(name, value)
    for number, path in enumerate(recordings(tmp_path)):
        component = f"recorded{number}"
        conversations = read_conversations(path)
        said = way.done("import", str(path), "--component", component, *GROUPED)
        messages = sum(map(len, conversations.values()))
        assert said.startswith(f"{len(conversations)} runs, {messages:,} messages → ")
        way.wait_until_stored()
        rows = way.ask("SELECT count() FROM events")

        again = way.done("import", str(path), "--component", component, *GROUPED)
        assert again == (
            "0 runs, 0 messages → 0 events, 0 bodies\n"
            f"{len(conversations)} runs already there, 0 lines refused\n"
        )
        way.wait_until_stored()
        assert way.ask("SELECT count() FROM events") == rows

        calls = way.ask(
            "SELECT name, count() FROM events WHERE step_kind = 'tool' "
            "AND component = {component:String} GROUP BY name ORDER BY name FORMAT TSV",
            component=component,
        )
        assert calls == "\n".join(f"{name}\t{count}" for name, count in tool_calls(conversations))
        traces: dict[str, set[int]] = defaultdict(set)
        for row in way.listed("--component", component):
            traces[row["trace_id"]].add(row["attempt"])
            assert (row["outcome"], row["status"]) == ("ok", "complete")
        assert sum(map(len, traces.values())) == len(conversations)
        unread = [texts(messages) for messages in conversations.values()]
        for trace_id in traces:
            for shown in executions(show(trace_id)):
                like = next(found for found in unread if reads_like(shown, found))
                assert not reads_like(shown, like[::-1])
                unread.remove(like)
        assert unread == []


def read_conversations(path: Path) -> dict[int, list[Message]]:
    lines = {line.number: line.text for line in read_lines(path)}
    return {n: parse_trajectory(t).messages for n, t in lines.items() if isinstance(t, bytes)}


def tool_calls(conversations: dict[int, list[Message]]) -> list[tuple[str, int]]:
    asked: Counter[str] = Counter()
    for messages in conversations.values():
        for message in messages:
            calls: list[Any] = message.get("tool_calls") or []
            asked.update(call["function"]["name"] for call in calls)
    return sorted(asked.items())


def texts(messages: list[Message]) -> list[str]:
    """Return what was said and called, in order, without blanks."""
    found: list[str] = []
    for message in messages:
        if message["role"] in {"user", "assistant"}:
            found.append(LAYOUT.sub("", printable(message["content"] or "")))
        calls: list[Any] = message.get("tool_calls") or []
        found.extend(f"→{call['function']['name']}(" for call in calls)
    return found


def show(trace_id: str) -> str:
    """Return what the command prints; in this process, as there are many traces to show."""
    shown = io.StringIO()
    with redirect_stdout(shown):
        assert main(["traces", "show", trace_id, "--full"]) == 0
    return shown.getvalue()


def executions(shown: str) -> list[str]:
    """Return what is shown of each execution below its title, without blanks."""
    parts = shown.split("\n\n") if "\n\n✓ run" in shown else [shown]
    return [LAYOUT.sub("", part.partition("─ ")[2]) for part in parts]


def reads_like(shown: str, said: list[str]) -> bool:
    at = 0
    for text in said:
        at = shown.find(text, at)
        if at < 0:
            return False
        at += len(text)
    return True


def test_every_bad_input_is_one_sentence_and_its_good_part_is_kept(
    way: Way, tmp_path: Path
) -> None:
    newer = run_records(component="newer", trace_id="ab" * 16)
    unknown = b"\x00\x00\x00\x00\x07" + newer[1][2][5:]
    write(way.kafka, way.prefix, [newer[0], ("steps", newer[1][1], unknown), *newer[2:]])

    lines = [small_talk(900, 0), b'{"traj": [', small_talk(901, 0), {"traj": [{"content": "?"}]}]
    file = str(write_lines(tmp_path / "half.jsonl", lines))
    dead_kafka = {"TAILRACE_KAFKA": "127.0.0.1:1"}
    dead_clickhouse = {"TAILRACE_CLICKHOUSE": "http://127.0.0.1:1"}
    table: list[tuple[list[str], dict[str, str], int, str]] = [
        (["tracess"], {}, 64, "error: no such command 'tracess'"),
        (["traces", "lss"], {}, 64, "error: no such command 'lss'"),
        (["traces", "ls", "--status", "gone"], {}, 64, "error: invalid value for '--status'"),
        (["traces", "show"], {}, 64, "error: missing argument 'ID'"),
        (["topics", "apply"], dead_kafka, 1, "127.0.0.1:1"),
        (["import", file], dead_kafka, 1, "is Kafka running?"),
        (["traces", "ls"], dead_clickhouse, 1, "error: no answer from ClickHouse at 127.0.0.1:1"),
        (["migrate"], dead_clickhouse, 1, "error: no answer from ClickHouse at 127.0.0.1:1"),
        (["traces", "ls"], {"TAILRACE_DATABASE": "no name"}, 1, "is no name for a database"),
        (["traces", "show", "ffff"], {}, 1, "error: no trace ffff is stored"),
        (["traces", "show", "what?"], {}, 1, "error: 'what?' is no trace id"),
        (["import", str(tmp_path / "none")], {}, 1, "error: there is no file"),
    ]
    for words, variables, code, sentence in table:
        run = way.run(*words, **variables)
        assert (run.returncode, run.stdout) == (code, ""), (words, run.stderr)
        assert sentence in run.stderr, (words, run.stderr)
        assert run.stderr.count("\n") == 1, (words, run.stderr)

    half = way.run("import", file, "--component", "half", *GROUPED)
    assert half.returncode == 1
    assert [line.split(": ")[0] for line in half.stderr.splitlines()] == [f"{file}:2", f"{file}:4"]
    assert half.stdout.startswith("2 runs, 16 messages → ")
    assert half.stdout.endswith("\n0 runs already there, 2 lines refused\n")
    way.wait_until_stored()
    assert len(way.listed("--component", "half")) == 2

    # It stalled its partition for a while, since its schema might have come; then it was told of.
    told = rf"^1 dead letter, the last one {way.prefix}steps:\d:\d+: schema id 7 is not known"
    wait_until(
        lambda: re.search(told, way.sink_log.read_text("utf-8"), re.MULTILINE) is not None,
        "the sink says what it put aside",
    )
    letters = "SELECT count() FROM dead_letters WHERE reason LIKE '%id 7 is not known%'"
    wait_until(lambda: way.ask(letters) == "1", "the dead letter is in its table, too")
    (row,) = way.listed("--component", "newer")
    assert row["status"] == "ended"
    assert "gap " in way.done("traces", "show", "ab" * 16)
