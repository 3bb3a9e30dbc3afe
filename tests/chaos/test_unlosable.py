"""Broker, network and agents are broken at random, and the log is compared with what agents did.

What is held: every run whose call returned is on the log, whole, with the bytes it made; a run that
has its last event is whole, promised or not; an identity lies there twice only after an agent was
killed or a producer replaced, and then with the same bytes.

`TAILRACE_CHAOS_SEEDS=20 make chaos` runs more seeds than `make test`, `TAILRACE_CHAOS_SEED=7` one.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from support import chaos_agents
from support.journal import read_topic
from support.kafka_proxy import kafka_proxy
from support.stack import address_of, running_kafka
from support.waiting import wait_until
from tailrace.producers import Tailrace
from tailrace.schemas import wire
from tailrace.schemas.payload_reading import resolve
from tailrace.schemas.topics import BODIES, RUNS, STEPS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.kafka_proxy import KafkaProxy
    from tailrace.console.local.kafka import Kafka

ROUNDS = 4


def seeds() -> list[int]:
    told = os.environ.get("TAILRACE_CHAOS_SEED")
    if told is not None:
        return [int(told)]
    return list(range(1, 1 + int(os.environ.get("TAILRACE_CHAOS_SEEDS", "2"))))


class Fleet:
    """One agent process at a time, and what all of them together promised."""

    def __init__(self, kafka: str, prefix: str, folder: Path) -> None:
        self.promises = folder / "promises"
        self.spool = folder / "spool"
        self.log = folder / "agents.log"
        self.kills = 0
        self.stats: list[dict[str, int]] = []
        self._command = [sys.executable, chaos_agents.__file__, kafka, prefix, str(self.promises)]
        self._started = 0
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._started += 1
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [*self._command, str(self._started * 1_000_000)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "TAILRACE_SPOOL": str(self.spool)},
            )

    def kill(self) -> None:
        assert self._process is not None
        self.kills += 1
        self._process.kill()
        self._process.communicate()

    def end(self) -> None:
        assert self._process is not None
        said, _ = self._process.communicate(timeout=90)
        assert self._process.returncode == 0, self.log.read_text()
        self.stats.append(json.loads(said))

    def promised(self) -> dict[str, int]:
        if not self.promises.exists():
            return {}
        lines = [line.split() for line in self.promises.read_text().splitlines()]
        return {run_id: int(number) for run_id, number in lines}


class Chaos:
    """Breaks one thing after the other, as the seed says."""

    def __init__(self, seed: int, broker: Kafka, proxy: KafkaProxy, fleet: Fleet) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - a test's dice
        self.broker = broker
        self.proxy = proxy
        self.fleet = fleet
        self.done: list[str] = []
        self._ways: list[Callable[[], None]] = [
            self.broker_killed,
            self.broker_frozen,
            self.network_stalled,
            self.replies_lost,
            self.connections_cut,
            self.agents_killed,
            self.agents_killed_while_the_broker_is_away,
        ]

    def round(self) -> None:
        way = self.chance.choice(self._ways)
        self.done.append(way.__name__)
        self.pass_time(0.3, 1.0)
        way()

    def broker_killed(self) -> None:
        self._signal_broker(signal.SIGKILL)
        self.pass_time(0.2, 2.0)
        self.broker.start()

    def broker_frozen(self) -> None:
        self._signal_broker(signal.SIGSTOP)
        self.pass_time(0.5, 2.5)
        self._signal_broker(signal.SIGCONT)

    def network_stalled(self) -> None:
        self.proxy.stalled = True
        self.pass_time(0.5, 2.5)
        self.proxy.stalled = False

    def replies_lost(self) -> None:
        self.proxy.losing = True
        self.pass_time(0.3, 1.5)
        self.proxy.losing = False

    def connections_cut(self) -> None:
        for _ in range(3):
            self.proxy.cut()
            self.pass_time(0.1, 0.3)

    def agents_killed(self) -> None:
        self.fleet.kill()
        self.fleet.start()

    def agents_killed_while_the_broker_is_away(self) -> None:
        self.proxy.stalled = True
        self.pass_time(1.0, 2.0)
        self.fleet.kill()
        self.fleet.start()
        self.pass_time(0.5, 2.0)
        self.proxy.stalled = False

    def pass_time(self, least_s: float, most_s: float) -> None:
        until = time.monotonic() + self.chance.uniform(least_s, most_s)
        wait_until(lambda: time.monotonic() > until, "time passes", timeout_s=most_s + 60)

    def _signal_broker(self, number: int) -> None:
        process = self.broker.process
        assert process is not None
        os.kill(process.pid, number)


@pytest.mark.parametrize("seed", seeds())
def test_nothing_that_was_promised_is_lost(seed: int, topic_prefix: str, tmp_path: Path) -> None:
    with running_kafka() as broker, kafka_proxy(address_of(broker)) as proxy:
        fleet = Fleet(proxy.address, topic_prefix, tmp_path)
        chaos = Chaos(seed, broker, proxy, fleet)
        print(f"\nchaos seed {seed}")  # noqa: T201 - to play it again
        fleet.start()
        wait_until(lambda: len(fleet.promised()) > 20, "agents work", timeout_s=30)
        for _ in range(ROUNDS):
            chaos.round()
        promised = len(fleet.promised())
        wait_until(lambda: len(fleet.promised()) > promised + 20, "agents go on", timeout_s=60)
        fleet.end()
        empty_spools(proxy.address, topic_prefix, fleet.spool)
        told = f"seed {seed}: {chaos.done}, {fleet.stats}\n{fleet.log.read_text()}"
        compare(address_of(broker), topic_prefix, fleet, told)
    print(f"{len(fleet.promised())} runs promised and found: {chaos.done}")  # noqa: T201


def empty_spools(kafka: str, prefix: str, folder: Path) -> None:
    """Open one more client, as the next process on this host would, until no spool is left."""
    with Tailrace(kafka, prefix=prefix, spool=str(folder), close_timeout_s=20):
        wait_until(lambda: not list(folder.rglob("*.spool")), "spools are sent", timeout_s=60)


def compare(kafka: str, prefix: str, fleet: Fleet, told: str) -> None:
    events: dict[tuple[str, int], dict[str, Any]] = {}
    raw: dict[tuple[str, int], bytes] = {}
    repeated = 0
    for topic in (RUNS, STEPS):
        newest: dict[str, int] = defaultdict(lambda: -1)
        for record in read_topic(kafka, topic.name(prefix)):
            event = wire.decode(record.value)[1]
            if "seq" not in event:  # a sign of life, which no run counts
                continue
            identity = (event["run_id"], event["seq"])
            if identity in raw:
                repeated += 1
                assert raw[identity] == record.value, f"two events of one identity; {told}"
                continue
            assert event["seq"] > newest[event["run_id"]], f"a run is out of order; {told}"
            newest[event["run_id"]] = event["seq"]
            raw[identity], events[identity] = record.value, event
    bodies: dict[str, str] = {}
    for record in read_topic(kafka, BODIES.name(prefix)):
        body = wire.decode(record.value)[1]
        bodies[body["sha256"]] = body["content"]
    runs: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
    for (run_id, seq), event in events.items():
        runs[run_id][seq] = event
    ended = {run_id for run_id, run in runs.items() if any(e["last_seq"] for e in run.values())}
    promised = fleet.promised()
    assert promised.keys() <= ended, f"lost: {sorted(promised.keys() - ended)}; {told}"
    for run_id in ended:
        assert_as_made(runs[run_id], bodies, promised.get(run_id), told)
    replaced = sum(stats["restarts"] + stats["left"] for stats in fleet.stats)
    assert not repeated or fleet.kills or replaced, f"{repeated} repeats for no reason; {told}"
    assert sum(stats["shed"] + stats["unsent"] for stats in fleet.stats) == 0, told


def assert_as_made(
    run: dict[int, dict[str, Any]], bodies: dict[str, str], number: int | None, told: str
) -> None:
    assert sorted(run) == list(range(chaos_agents.STEPS + 2)), f"a run has a gap; {told}"
    last = run[len(run) - 1]
    assert last["last_seq"] == last["seq"], told
    found, run_id = json.loads(last["output"])
    assert run_id == last["run_id"], told
    assert number is None or found == number, told
    outputs = {
        resolve(event["output"], bodies)
        for event in run.values()
        if event["kind"] == "step_completed"
    }
    made = {chaos_agents.output_of(found, place) for place in range(chaos_agents.STEPS)}
    assert outputs == made, f"a run's values are not what it made; {told}"
