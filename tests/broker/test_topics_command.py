"""`tailrace topics`: creates, checks, lists; the exit code says whether all is in order."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tailrace.console.cli import main
from tailrace.schemas.topic_admin import apply
from tailrace.schemas.topic_settings import STANDING_TOPICS
from tailrace.schemas.topics import RUNS

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.fixture(autouse=True)
def _environment(kafka: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILRACE_KAFKA", kafka)
    monkeypatch.setenv("TAILRACE_PREFIX", topic_prefix)


def run(*arguments: str) -> int:
    return main(["topics", *arguments])


def lines(capsys: pytest.CaptureFixture[str]) -> Sequence[str]:
    return capsys.readouterr().out.splitlines()


def test_apply_creates_and_a_second_time_finds_all_in_order(
    topic_prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("apply") == 0
    created = [f"created {topic.name(topic_prefix)}" for topic in STANDING_TOPICS]
    assert lines(capsys) == [*created, f"{len(created)} topics are in order"]
    assert run("apply") == 0
    assert lines(capsys) == [f"{len(created)} topics are in order"]


def test_a_dry_run_creates_nothing_and_ends_with_1(
    topic_prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert run("apply", "--dry-run") == 1
        assert f"{topic_prefix}runs does not exist" in lines(capsys)


def test_too_few_partitions_are_named_end_with_1_and_stay(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("apply", "--partitions", "2") == 0
    lines(capsys)
    for fix in ([], ["--fix"]):
        assert run("apply", "--partitions", "3", *fix) == 1
        (first, *_) = lines(capsys)
        assert "partitions is 2, declared is 3; partitions are never added" in first
    assert run("apply", "--partitions", "2") == 0


def test_a_setting_that_differs_ends_with_1_and_is_changed_with_fix(
    kafka: str, topic_prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("apply") == 0
    lines(capsys)
    for_ever = replace(RUNS, retention="forever")
    asyncio.run(apply([for_ever], fix=True, options={"bootstrap_servers": kafka}))
    name = RUNS.name(topic_prefix)
    assert run("apply") == 1
    month = 30 * 24 * 3600 * 1000
    (only,) = lines(capsys)
    assert only == f"{name}: retention.ms is -1, declared is {month}; change it with --fix"
    assert run("apply", "--fix") == 0
    assert lines(capsys)[0] == f"changed {name}: retention.ms from -1 to {month}"
    assert run("apply") == 0


def test_ls_lists_every_topic_and_says_what_is_missing(
    topic_prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("ls") == 0
    before = capsys.readouterr()
    assert "missing" in before.out
    assert "create them with `tailrace topics apply`" in before.err
    assert run("apply") == 0
    lines(capsys)
    assert run("ls", "--json") == 0
    rows = {row["topic"].removeprefix(topic_prefix): row for row in map(json.loads, lines(capsys))}
    assert rows["runs"] | {"topic": "", "holds": ""} == {
        "topic": "",
        "exists": True,
        "partitions": 4,
        "replication": 1,
        "retention": "30 days",
        "key": "trace_id",
        "holds": "",
    }
    assert rows["schemas"]["retention"] == "compacted"
    assert rows["control"]["retention"] == "for ever"


@pytest.mark.parametrize("arguments", [["--fix", "--dry-run"], ["--partitions", "0"], ["--nope"]])
def test_wrong_usage_ends_with_64(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("apply", *arguments) == 64
    assert "see `tailrace topics apply --help`" in capsys.readouterr().err


def test_a_dead_broker_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TAILRACE_KAFKA", "127.0.0.1:1")
    assert run("ls") == 1
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "127.0.0.1:1" in sentence
    assert "see whether Kafka runs" in sentence
