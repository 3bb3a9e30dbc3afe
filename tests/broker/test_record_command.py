"""`tailrace record`: a record as the log has it, whatever this version's tables have of it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from support.log_journal import create_topics, fleet, write
from tailrace.console.cli import main
from tailrace.schemas.catalog import Schema, latest
from tailrace.schemas.schema_log import publish_missing
from tailrace.schemas.wire import encode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., tuple[int, str, str]]

DEFINITION = dict(latest("journal_event").definition)
MOOD = {"name": "mood", "type": "string", "default": ""}
NEWER = Schema("journal_event", 0, {**DEFINITION, "fields": [*DEFINITION["fields"], MOOD]})
EVENT = encode(NEWER, {"trace_id": "ab" * 16, "run_id": "cd" * 16, "mood": "fine \u202e"})


@pytest.fixture
def run(
    kafka: str,
    topic_prefix: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    create_topics(kafka, topic_prefix, partitions=1)
    monkeypatch.setenv("TAILRACE_KAFKA", kafka)
    monkeypatch.setenv("TAILRACE_PREFIX", topic_prefix)

    def command(*words: str) -> tuple[int, str, str]:
        code = main(["record", *words])
        out, err = capsys.readouterr()
        return code, out, err

    return command


def test_every_field_of_a_newer_writer_is_there_and_so_are_the_bytes(
    kafka: str, topic_prefix: str, run: Run, tmp_path: Path
) -> None:
    connection = {"bootstrap_servers": kafka}
    asyncio.run(publish_missing([NEWER], prefix=topic_prefix, options=connection))
    write(kafka, topic_prefix, [*fleet(2), ("runs", b"the key", EVENT), ("runs", b"k", b"\x07")])

    code, out, err = run("runs:0:4", "--raw", str(tmp_path / "raw"))

    assert (code, err) == (0, f"wrote {len(EVENT)} bytes to {tmp_path / 'raw'}\n")
    assert "\u202e" not in out
    told: dict[str, Any] = json.loads(out)
    assert told["topic"] == f"{topic_prefix}runs"
    assert (told["partition"], told["offset"], told["key"]) == (0, 4, "the key")
    assert told["schema"] == {"id": NEWER.id, "name": "journal_event"}
    assert told["fields"]["mood"] == "fine \u202e"
    assert (tmp_path / "raw").read_bytes() == EVENT

    code, out, _ = run(f"{topic_prefix}runs:0:5")
    assert code == 0
    assert json.loads(out)["fields"] is None
    assert "fault" in json.loads(out)

    for place, said in (
        ("runs:0:6", "has the offsets from 0 to before 6"),
        ("runs:3:0", "has no partition 3"),
        ("nothing:0:0", "has no partition 0"),
    ):
        code, out, err = run(place)
        assert (code, out) == (1, "")
        assert said in err
        assert err.count("\n") == 1
    assert run("runs-0-4")[0] == 64
