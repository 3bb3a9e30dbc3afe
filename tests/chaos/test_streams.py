"""Stream workers are broken while agents write: what is published is what the fold makes.

`TAILRACE_CHAOS_SEEDS=20 make chaos` plays more seeds than `make test`, `TAILRACE_CHAOS_SEED=7` one.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from support.log_journal import create_topics, fleet, write
from support.log_sinks import archive
from support.stream_outputs import folded, log_id, published
from support.stream_workers import end_worker, spawn_worker
from support.waiting import wait_until
from tailrace.sinks.clickhouse import connect
from tailrace.sinks.queries.closed_executions import FIELDS, closed_executions, ended_by_events
from tailrace.sinks.sink import SinkOptions
from tailrace.streams.options import StreamOptions

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from support.log_journal import Keyed

ROUNDS = 5
RUNS_A_ROUND = 40
WORKERS = 2
SESSION_S = 6.0
DONE_S = 120.0


def seeds() -> list[int]:
    told = os.environ.get("TAILRACE_CHAOS_SEED")
    if told is not None:
        return [int(told)]
    return list(range(1, 1 + int(os.environ.get("TAILRACE_CHAOS_SEEDS", "1"))))


class Workers:
    """Workers that are started again when they end, as a supervisor does."""

    def __init__(self, options: StreamOptions, chance: random.Random) -> None:
        self._options = options
        self._chance = chance
        self._names = [f"worker-{number}" for number in range(WORKERS)]
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.defects: list[int] = []
        """Exit codes of workers that ended without a sentence."""

    def revive(self) -> None:
        for name in self._names:
            worker = self._running.get(name)
            code = None if worker is None else worker.poll()
            if worker is not None and code is None:
                continue
            if code not in (None, 0, 3, -signal.SIGKILL, -signal.SIGTERM):
                self.defects.append(code or 0)
            options = replace(self._options, data=self._options.data / name, instance=name)
            self._running[name] = spawn_worker(options)

    def disturb(self) -> str:
        """Do something to one of them; return what."""
        name = self._chance.choice(self._names)
        worker = self._running[name]
        what = self._chance.choice(["killed", "stopped", "asleep", "left alone"])
        if what == "killed":
            worker.kill()
        elif what == "stopped":
            worker.terminate()
        elif what == "asleep":
            worker.send_signal(signal.SIGSTOP)
            asleep_s = self._chance.choice([0.5, SESSION_S + 2])
            threading.Timer(asleep_s, worker.send_signal, (signal.SIGCONT,)).start()
        return f"{name} {what}"

    def end(self) -> None:
        for worker in self._running.values():
            end_worker(worker)


def torn(records: list[Keyed], chance: random.Random) -> tuple[list[Keyed], list[Keyed]]:
    """Split records so that a run begins in one portion and ends in the next; half come first."""
    cut = chance.randrange(len(records) // 2, len(records))
    first, second = records[:cut], records[cut:]
    if chance.random() < 1 / 2:
        first.append(("runs", b"poison", chance.randbytes(20)))
    return first, second


@pytest.fixture
def sink(kafka: str, clickhouse: str, database: str, topic_prefix: str) -> SinkOptions:
    create_topics(kafka, topic_prefix, partitions=4)
    return SinkOptions(kafka, clickhouse, database, topic_prefix)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", seeds())
def test_what_is_published_is_what_the_fold_makes_whatever_was_broken(
    kafka: str, sink: SinkOptions, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test's dice
    assert sink.prefix is not None
    topic_prefix = sink.prefix
    options = StreamOptions(kafka, topic_prefix, data=tmp_path, session_s=SESSION_S)
    workers = Workers(options, chance)
    done: list[str] = []
    try:
        left: list[Keyed] = []
        for _ in range(ROUNDS):
            workers.revive()
            first, second = torn(fleet(RUNS_A_ROUND, steps=1), chance)
            # Counted before: idle workers may be done before the write is.
            before = len(published(kafka, topic_prefix))
            write(kafka, topic_prefix, [*left, *first])
            left = second
            done.append(workers.disturb())
            wait_until(
                lambda before=before: grown(workers, kafka, topic_prefix, before),
                f"progress after {done}",
                timeout_s=DONE_S,
                poll_s=0.3,
            )
        write(kafka, topic_prefix, left)
        wait_until(
            lambda: grown(workers, kafka, topic_prefix, ROUNDS * RUNS_A_ROUND - 1),
            f"all traces after {done}",
            timeout_s=DONE_S,
            poll_s=0.5,
        )
    except BaseException as failure:
        failure.add_note(f"seed {seed} (TAILRACE_CHAOS_SEED={seed} plays it): {done}")
        raise
    finally:
        workers.end()
    expected = folded(kafka, topic_prefix, options.limits, log_id=log_id(kafka))
    assert published(kafka, topic_prefix) == expected, done
    assert workers.defects == []
    asyncio.run(archive(sink))
    client = connect(sink.clickhouse, sink.database)
    by_streams, by_events = closed_executions(client), ended_by_events(client)
    assert len(by_streams) == ROUNDS * RUNS_A_ROUND
    assert by_identity(by_streams) == by_identity(by_events), done


def by_identity(rows: list[dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    return {
        (row["trace_id"], row["root_run_id"]): {name: row[name] for name in FIELDS} for row in rows
    }


def grown(workers: Workers, kafka: str, prefix: str, before: int) -> bool:
    workers.revive()
    return len(published(kafka, prefix)) > before
