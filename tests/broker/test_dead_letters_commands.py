"""`tailrace dead-letters`: look at what could not be stored, send it again, give it up."""

from __future__ import annotations

import asyncio
import json
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from support.log_journal import create_topics, fleet, write
from support.log_sinks import archive, rows_and_identities, spawn_sink
from support.program import tailrace
from tailrace.schemas.catalog import Schema, latest
from tailrace.schemas.schema_log import publish_missing
from tailrace.schemas.wire import encode
from tailrace.sinks.clickhouse import ask, connect, tell
from tailrace.sinks.queries.dead_letters import LetterFilter, find_dead_letter, list_dead_letters
from tailrace.sinks.sink import SinkOptions

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Generator
    from pathlib import Path

    from clickhouse_connect.driver.client import Client

    Run = Callable[..., subprocess.CompletedProcess[str]]

DEFINITION = dict(latest("journal_event").definition)
MOOD = {"name": "mood", "type": "string", "default": ""}
NEWER = Schema("journal_event", 0, {**DEFINITION, "fields": [*DEFINITION["fields"], MOOD]})
EVENT = encode(NEWER, {"trace_id": "ab" * 16, "run_id": "cd" * 16, "mood": "fine"})
HOSTILE = b"\x1b]0;owned\x07 plain \xff\x00" + b"z" * 300


@pytest.fixture
def options(kafka: str, clickhouse: str, database: str, topic_prefix: str) -> SinkOptions:
    create_topics(kafka, topic_prefix)
    return SinkOptions(
        kafka=kafka,
        clickhouse=clickhouse,
        database=database,
        prefix=topic_prefix,
        schema_wait_s=0.5,
    )


@pytest.fixture
def run(options: SinkOptions, tmp_path: Path) -> Run:
    variables = {
        "TAILRACE_KAFKA": options.kafka or "",
        "TAILRACE_CLICKHOUSE": options.clickhouse or "",
        "TAILRACE_DATABASE": options.database or "",
        "TAILRACE_PREFIX": options.prefix or "",
    }

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        return tailrace("dead-letters", *words, data=tmp_path, variables=variables)

    return command


@pytest.fixture
def client(options: SinkOptions) -> Generator[Client]:
    made = connect(options.clickhouse, options.database)
    yield made
    made.close()


def give_up(options: SinkOptions, *values: bytes, topic: str = "runs") -> None:
    """Put records between sound ones, and run the sink until their letters are stored."""
    assert options.kafka is not None
    assert options.prefix is not None
    records = [*fleet(20), *((topic, b"the key", value) for value in values)]
    write(options.kafka, options.prefix, records)
    asyncio.run(archive(options))
    asyncio.run(archive(options))  # the letters themselves


@contextmanager
def sink_beside(options: SinkOptions) -> Generator[None]:
    process = spawn_sink(replace(options, schema_wait_s=0.5))
    try:
        yield
    finally:
        process.terminate()  # it leaves its group, so that the next one need not wait for it
        assert process.wait(20) == 0


def listed(run: Run, *words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run("ls", "--json", *words).stdout.splitlines()]


def test_ls_filters_and_fits_eighty_columns(options: SinkOptions, run: Run) -> None:
    give_up(options, HOSTILE, EVENT)
    wide = run("ls", "--width", "80")
    assert wide.returncode == 0
    assert all(len(line) <= 80 for line in wide.stdout.splitlines())
    assert len(wide.stdout.splitlines()) == 3
    rows = listed(run)
    assert {row["topic"] for row in rows} == {f"{options.prefix}runs"}
    assert all(row["id"] in run("ls").stdout for row in rows)
    assert len(listed(run, "--topic", "runs")) == 2
    assert listed(run, "--topic", "steps") == []
    assert [row["size_bytes"] for row in listed(run, "--text", "IS NOT KNOWN")] == [len(EVENT)]
    assert len(listed(run, "--since", "10m")) == 2
    assert listed(run, "--since", "2126-01-01") == []
    nothing = run("ls", "--text", "no such reason")
    assert (nothing.stdout, nothing.stderr) == ("", "no dead letter is like that\n")


def test_show_tells_all_and_nothing_in_the_bytes_can_steer_a_terminal(
    options: SinkOptions, run: Run, tmp_path: Path
) -> None:
    give_up(options, HOSTILE)
    (row,) = listed(run)
    file = tmp_path / "raw"
    shown = run("show", row["id"], "--raw", str(file))
    assert shown.returncode == 0
    assert file.read_bytes() == HOSTILE
    assert not set(shown.stdout) & {"\x1b", "\x07", "\x00"}
    assert "1b 5d 30 3b 6f 77 6e 65 64 07 20 70 6c 61 69 6e  ·]0;owned· plain" in shown.stdout
    assert "74 68 65 20 6b 65 79" in shown.stdout
    assert "bytes more: --raw FILE writes them all" in shown.stdout
    assert "state    open" in shown.stdout
    again = run("show", row["id"], "--raw", str(file))
    assert again.returncode == 1
    assert again.stderr == f"error: {file} is not written: File exists\n"
    assert json.loads(run("show", row["id"], "--json").stdout)["value"] == HOSTILE.hex()


def test_a_record_is_sent_again_byte_for_byte_and_stored_once_its_schema_is_known(
    options: SinkOptions, run: Run, client: Client
) -> None:
    give_up(options, EVENT)
    (row,) = listed(run)
    before = rows_and_identities(options, "events", "run_id", "seq")
    connection = {"bootstrap_servers": options.kafka}
    asyncio.run(publish_missing([NEWER], prefix=options.prefix, options=connection))

    with sink_beside(options):
        sent = run("retry", row["id"], "--reason", "the schema is there now")
    assert sent.returncode == 0, sent.stderr
    assert sent.stderr == ""
    asyncio.run(archive(options))

    assert sent.stdout.startswith(f"{row['id']} sent again as {options.prefix}runs:")
    rows, identities = rows_and_identities(options, "events", "run_id", "seq")
    assert (rows, identities) == (before[0] + 1, before[1] + 1)
    assert listed(run) == []
    (told,) = listed(run, "--all")
    assert (told["state"], told["decided_why"]) == ("retried", "the schema is there now")
    where = told["sent_as"].split(":")
    found = ask(
        client,
        "SELECT topic, partition, offset FROM events WHERE run_id = {run:String}",
        {"run": "cd" * 16},
    )
    assert [str(value) for value in found[0].values()] == where


def test_a_retry_of_what_is_stored_already_is_the_same_fact(options: SinkOptions, run: Run) -> None:
    give_up(options, EVENT)
    (row,) = listed(run)
    connection = {"bootstrap_servers": options.kafka}
    asyncio.run(publish_missing([NEWER], prefix=options.prefix, options=connection))
    with sink_beside(options):
        for _ in range(2):
            assert run("retry", row["id"]).returncode == 0
    asyncio.run(archive(options))
    _, identities = rows_and_identities(options, "events", "run_id", "seq")
    assert identities == 101
    assert len(listed(run, "--all")) == 1


def test_a_record_that_fails_again_is_a_letter_of_its_own(options: SinkOptions, run: Run) -> None:
    give_up(options, HOSTILE)
    (row,) = listed(run)
    sent = run("retry", row["id"])
    assert sent.stderr.startswith("the decision is on the log and not in the tables yet")
    asyncio.run(archive(options))
    asyncio.run(archive(options))
    (again,) = listed(run)
    assert again["id"] == sent.stdout.split()[-1]
    assert {each["id"] for each in listed(run, "--all")} == {row["id"], again["id"]}


def test_a_dropped_letter_is_left_out_and_can_still_be_seen(options: SinkOptions, run: Run) -> None:
    give_up(options, HOSTILE)
    (row,) = listed(run)
    refused = run("drop", row["id"])  # nobody answers the question
    assert refused.returncode != 0
    assert "drop 1 dead letter?" in refused.stderr
    assert len(listed(run)) == 1
    with sink_beside(options):
        dropped = run("drop", row["id"], "--yes", "--reason", "a test")
    assert (dropped.returncode, dropped.stdout) == (0, f"{row['id']} dropped\n")
    assert listed(run) == []
    assert "dropped" in run("show", row["id"]).stdout


def test_a_record_whose_order_is_its_meaning_is_not_sent_again(
    options: SinkOptions, run: Run
) -> None:
    give_up(options, HOSTILE, topic="control")
    (row,) = listed(run)
    refused = run("retry", row["id"])
    assert refused.returncode == 1
    assert "the order decides" in refused.stderr


def test_an_id_that_is_none_or_is_not_there_is_one_sentence(options: SinkOptions, run: Run) -> None:
    asyncio.run(archive(options))
    assert run("show", "nonsense").returncode == 64
    missing = run("show", "x.runs:0:5")
    assert missing.returncode == 1
    assert missing.stderr.startswith("error: there is no dead letter x.runs:0:5")


def test_several_readers_and_repeats_are_one_letter(options: SinkOptions, client: Client) -> None:
    give_up(options, HOSTILE)
    columns = "source_log_id, source_topic, source_partition, source_offset, ts, reader, reason"
    tell(
        client,
        f"INSERT INTO dead_letters ({columns}, key, value) SELECT source_log_id, source_topic, "  # noqa: S608 - the test's own words
        "source_partition, source_offset, ts + 1, 'another reader', 'other words', key, value "
        "FROM dead_letters",
    )
    (letter,) = list_dead_letters(client, 10, LetterFilter(every=True))
    assert len(letter.readers) == 2
    assert letter.reason == "other words"
    found = find_dead_letter(
        client, letter.source_topic, letter.source_partition, letter.source_offset
    )
    assert found == letter
