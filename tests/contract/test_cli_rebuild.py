"""`tailrace rebuild` through the real entry point, on the real broker and engine."""

from __future__ import annotations

import asyncio

import pytest

from support.log_journal import create_topics, fleet, write
from support.log_sinks import archive
from tailrace.console.cli import main
from tailrace.sinks.sink import SinkOptions


@pytest.fixture
def options(kafka: str, clickhouse: str, database: str, topic_prefix: str) -> SinkOptions:
    create_topics(kafka, topic_prefix)
    write(kafka, topic_prefix, fleet(10))
    found = SinkOptions(kafka=kafka, clickhouse=clickhouse, database=database, prefix=topic_prefix)
    asyncio.run(archive(found))
    return found


def test_a_rebuild_says_what_it_built_and_refuses_what_is_no_table(
    options: SinkOptions, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TAILRACE_KAFKA", options.kafka or "")
    monkeypatch.setenv("TAILRACE_CLICKHOUSE", options.clickhouse or "")
    monkeypatch.setenv("TAILRACE_DATABASE", options.database or "")
    monkeypatch.setenv("TAILRACE_PREFIX", options.prefix or "")

    assert main(["rebuild", "events", "bodies"]) == 0

    out, _ = capfd.readouterr()
    assert out == "rebuilt events: 50 rows, before 50\nrebuilt bodies: 0 rows, before 0\n"
    assert main(["rebuild", "evnets"]) == 64
    assert "'evnets' is none of events, bodies" in " ".join(capfd.readouterr().err.split())
