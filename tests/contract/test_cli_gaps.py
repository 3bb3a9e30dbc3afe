"""`tailrace gaps` through the real entry point, on the real broker and engine."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from support.log_journal import create_topics, fleet, run_records, write
from support.log_sinks import archive
from tailrace.console.cli import main
from tailrace.sinks.clickhouse import connect, tell
from tailrace.sinks.sink import SinkOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    Gaps = Callable[..., tuple[int, str, str]]


@pytest.fixture
def options(kafka: str, clickhouse: str, database: str, topic_prefix: str) -> SinkOptions:
    create_topics(kafka, topic_prefix)
    write(kafka, topic_prefix, [*fleet(10), *run_records(run_id="1" * 32, trace_id="2" * 32)])
    found = SinkOptions(kafka=kafka, clickhouse=clickhouse, database=database, prefix=topic_prefix)
    asyncio.run(archive(found))
    return found


@pytest.fixture
def gaps(
    options: SinkOptions, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Gaps:
    monkeypatch.setenv("TAILRACE_KAFKA", options.kafka or "")
    monkeypatch.setenv("TAILRACE_CLICKHOUSE", options.clickhouse or "")
    monkeypatch.setenv("TAILRACE_DATABASE", options.database or "")
    monkeypatch.setenv("TAILRACE_PREFIX", options.prefix or "")

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["gaps", "--settle", "0", *arguments])
        out, err = capfd.readouterr()
        return code, out, err

    return run


def test_a_whole_journal_is_exit_code_0_and_a_lost_event_is_2(
    gaps: Gaps, options: SinkOptions
) -> None:
    code, out, err = gaps("--width", "80")
    assert (code, err) == (0, "")
    assert "11 runs (0 open), 55 events expected, 0 missing" in out
    client = connect(options.clickhouse, options.database)
    tell(client, "DELETE FROM events WHERE startsWith(run_id, '1111') AND seq IN (1, 2)")
    client.close()

    code, out, _ = gaps("--width", "80")

    assert code == 2
    assert "run 111111111111 of trace 222222222222: 3 of 5 events, not 1-2" in out
    assert all(len(line) <= 80 for line in out.splitlines())
    code, out, _ = gaps("--json")
    accounts = [json.loads(line) for line in out.splitlines()]
    assert code == 2
    assert accounts[-1]["whole"] is False
    [run] = [account for account in accounts if account["account"] == "run"]
    assert run["seqs"] == {"count": 2, "ranges": [[1, 2]], "all_ranges": True}
    lost = [account for account in accounts if account["account"] == "partition"]
    assert sum(account["missing"]["count"] for account in lost) == 2
    assert gaps("--limit", "0", "--component", "billing")[0] == 2, "the log is looked at whole"
