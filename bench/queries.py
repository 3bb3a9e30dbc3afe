"""How long a person's questions take on millions of events, by sort key, and what lies on disk.

    python bench/queries.py [--events 10000000] [--trajectories FILE] [--asks 9] [--keys KEY ...]

The events are copies of real ones (`seeds`): the example fleet's and, with `--trajectories`, those
of recorded runs. The functions of `sinks/queries` ask, as the product does, and the sort keys take
turns question by question; `--keys identity words` compares the index of words. Prints p50 and p95,
that of the design's key as a share of the aim and of the best other key, CPU seconds of ClickHouse
and bytes read a question, then bytes an event on disk by column. The folder of the data goes at the
end; 10 million events take about 5 GB.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from archive import cpu_of, family
from seeds.copies import DAYS, NEEDLE, START_US, copy_events
from seeds.real_events import record

from tailrace.console.local.clickhouse import ClickHouse
from tailrace.sinks.clickhouse import ask, connect, tell
from tailrace.sinks.migrations import migrate, shipped_migrations
from tailrace.sinks.queries.error_rates import error_rates
from tailrace.sinks.queries.list_traces import TraceFilter, list_traces
from tailrace.sinks.queries.read_trace import read_trace
from tailrace.sinks.queries.tool_calls_by_name import tool_calls_by_name
from tailrace.sinks.text_index import add_text_index

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickhouse_connect.driver.client import Client

WORDS = "words"
"""The design's key, and the index of words beside."""

OURS = "ORDER BY (trace_id, run_id, seq)"
KEYS = {
    "identity": OURS,
    "component": "ORDER BY (component, trace_id, run_id, seq)",
    "time": "ORDER BY (toStartOfHour(ts), trace_id, run_id, seq)",
    WORDS: OURS,
}
START = datetime.fromtimestamp(START_US / 1e6, UTC)
MIDDLE = START + timedelta(days=DAYS // 2)
QUESTIONS: dict[str, tuple[float, Callable[[Client, str], object]]] = {
    "trace by id": (0.03, read_trace),
    "latest traces of a component that failed": (
        0.5,
        lambda client, _: list_traces(client, TraceFilter(component="support-3", outcome="failed")),
    ),
    "latest traces of a component": (
        0.5,
        lambda client, _: list_traces(client, TraceFilter(component="support-3")),
    ),
    "error rate by deployment, a day": (
        0.5,
        lambda client, _: error_rates(client, MIDDLE, MIDDLE + timedelta(days=1)),
    ),
    "tool calls by name": (0.5, lambda client, _: tool_calls_by_name(client)),
    "a word in inputs and outputs": (
        0.5,
        lambda client, _: list_traces(client, TraceFilter(text=NEEDLE)),
    ),
}
_READ = "SELECT value FROM system.events WHERE event = 'SelectedBytes'"
_IDS = """
SELECT trace_id FROM events WHERE cityHash64(trace_id) % 1000 = 7
GROUP BY trace_id ORDER BY cityHash64(trace_id) LIMIT 100
"""
_COLUMNS = """
SELECT name, type, data_compressed_bytes AS packed, data_uncompressed_bytes AS plain
FROM system.columns WHERE database = currentDatabase() AND table = 'events' ORDER BY packed DESC
"""
_PARTS = """
SELECT sum(rows) AS stored, count() AS parts, sum(bytes_on_disk) AS size_bytes FROM system.parts
WHERE active AND database = currentDatabase() AND table = 'events'
"""


@dataclass
class Answered:
    """What one question took with one key."""

    seconds: list[float] = field(default_factory=list[float])
    engine_cpu_s: list[float] = field(default_factory=list[float])
    read_bytes: int = 0

    def at(self, percent: int) -> float:
        """Return a percentile of the seconds."""
        return statistics.quantiles(self.seconds, n=100, method="inclusive")[percent - 1]


def create(clickhouse: str, database: str, key: str) -> Client:
    """Return a client for a new database whose `events` have that sort key."""
    client = connect(clickhouse, database)
    client.set_client_setting("use_query_condition_cache", 0)  # it knows a question put again
    migrate(client)
    [sql] = [found.sql for found in shipped_migrations() if "CREATE TABLE events\n" in found.sql]
    assert OURS in sql, "the shipped table has another key than this bench compares with"
    if key != OURS:
        tell(client, "DROP TABLE events SYNC")
        tell(client, sql.replace(OURS, key))
    return client


def compare(clients: dict[str, Client], pids: list[int], asks: int) -> None:
    """Ask every question of every key in turn, and print what each took."""
    ids = [str(row["trace_id"]) for row in ask(clients["identity"], _IDS)]
    for question, (aim_s, put) in QUESTIONS.items():
        answers = {name: Answered() for name in clients}
        for turn in range(asks + 1):
            for name, client in clients.items():
                read, cpu = _read_bytes(client), cpu_of(pids)
                began = time.perf_counter()
                put(client, ids[turn % len(ids)])
                took = time.perf_counter() - began
                if turn:  # the first is for the caches
                    answers[name].seconds.append(took)
                    answers[name].engine_cpu_s.append(cpu_of(pids) - cpu)
                    answers[name].read_bytes = _read_bytes(client) - read
        tell_question(question, aim_s, answers)


def tell_question(question: str, aim_s: float, answers: dict[str, Answered]) -> None:
    """Print a line a key, and the shares."""
    print(f"{question}; load average {os.getloadavg()[0]:.1f}", flush=True)
    for name, found in answers.items():
        cpu = statistics.median(found.engine_cpu_s)
        print(
            f"  {name:10} p50 {found.at(50) * 1e3:8.0f} ms, p95 {found.at(95) * 1e3:8.0f} ms, "
            f"engine CPU {cpu * 1e3:8.0f} ms, {found.read_bytes / 1e6:9,.1f} MB read"
        )
    ours = answers["identity"].at(50)
    others = [found.at(50) for name, found in answers.items() if name != "identity"]
    beside = f", of the best other key: {ours / min(others):.2f}" if others else ""
    print(f"  identity, share of the aim of {aim_s * 1e3:.0f} ms: {ours / aim_s:.2f}{beside}")


def _read_bytes(client: Client) -> int:
    rows = ask(client, _READ)
    return int(rows[0]["value"]) if rows else 0


def tell_disk(client: Client) -> None:
    """Print what the events take on disk, the largest columns one by one."""
    [whole] = ask(client, _PARTS)
    stored = int(whole["stored"])
    print(f"{stored:,} events, {whole['parts']} parts, {whole['size_bytes'] / stored:.1f} B each:")
    for row in ask(client, _COLUMNS):
        if row["packed"] / stored >= 0.1:  # noqa: PLR2004 - bytes
            packed, plain = row["packed"] / stored, row["plain"] / stored
            print(f"  {row['name']:20}{packed:8.1f} of {plain:8.1f} B  {row['type']}")


def main() -> None:
    """Make the events, ask, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--conversations", type=int, default=300)
    parser.add_argument("--trajectories", type=Path)
    parser.add_argument("--asks", type=int, default=9)
    parser.add_argument("--keys", nargs="+", choices=KEYS, default=list(KEYS)[:3])
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tailrace-bench-") as place:
        folder = Path(place)
        clickhouse = ClickHouse(folder / "clickhouse", folder / "clickhouse.log")
        clickhouse.start()
        try:
            assert clickhouse.address is not None
            assert clickhouse.process is not None
            address, pids = clickhouse.address, family(clickhouse.process.pid)
            record(address, "seeds", folder, told.conversations, told.trajectories)
            clients: dict[str, Client] = {}
            for name in told.keys:
                clients[name] = create(address, f"by_{name}", KEYS[name])
                if name == WORDS:
                    add_text_index(clients[name])
                began = time.perf_counter()
                made = copy_events(clients[name], "seeds", f"by_{name}", told.events)
                print(f"{name}: {made:,} events made in {time.perf_counter() - began:.0f} s")
                tell_disk(clients[name])
            compare(clients, pids, told.asks)
        finally:
            clickhouse.stop()


if __name__ == "__main__":
    main()
