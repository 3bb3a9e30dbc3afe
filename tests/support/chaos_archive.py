"""A log, a table and sinks between them, all of which can be broken while agents write."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from support.chaos_schedule import ZOMBIE
from support.log_journal import fleet
from support.log_sinks import spawn_sink
from tailrace.schemas.catalog import Schema, latest
from tailrace.schemas.wire import decode, encode
from tailrace.sinks.archive.consumer import SESSION_TIMEOUT_MS

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncGenerator, Sequence

    from support.chaos_schedule import Action
    from support.log_journal import Keyed
    from support.log_proxy import ReplyThief
    from tailrace.console.local.clickhouse import ClickHouse
    from tailrace.console.local.kafka import Kafka
    from tailrace.sinks.sink import SinkOptions

CORRUPT_EVERY = 100
EVENTS_A_RUN = 5
_RUNS_AT_ONCE = 20
_POLL_S = 0.1
_TOLD = 3


def newer_schema() -> Schema:
    """Return a journal event that a later Tailrace might write."""
    definition = dict(latest("journal_event").definition)
    later = {"name": "mood", "type": "string", "default": ""}
    return Schema("journal_event", 0, {**definition, "fields": [*definition["fields"], later]})


class Agents:
    """Write runs, half of them in a newer schema, and one corrupt record in a hundred."""

    def __init__(self, kafka: str, prefix: str, seed: int) -> None:
        self.runs = 0
        """Runs whose records the broker has acknowledged."""

        self.events = 0
        """Sound events among those records."""

        self._kafka = kafka
        self._prefix = prefix
        self._chance = random.Random(seed)  # noqa: S311 - a test's dice
        self._newer = newer_schema()

    async def write_until(self, stop: asyncio.Event) -> None:
        """Write portion after portion; what the broker did not acknowledge is written again."""
        while not stop.is_set():
            await self._write(self._portion())
            self.runs += _RUNS_AT_ONCE
            self.events += _RUNS_AT_ONCE * EVENTS_A_RUN
            await _pass_time(0.05)

    def _portion(self) -> list[Keyed]:
        records: list[Keyed] = []
        for suffix, key, value in fleet(_RUNS_AT_ONCE):
            schema, event = decode(value)
            newer = self._chance.random() < 1 / 2
            sound = encode(self._newer, {**event, "mood": "fine"}) if newer else value
            assert schema.name == "journal_event"
            records.append((suffix, key, sound))
            if self._chance.randrange(CORRUPT_EVERY) == 0:
                records.append((suffix, key, self._broken(sound)))
        return records

    def _broken(self, sound: bytes) -> bytes:
        cut = self._chance.randrange(len(sound))
        return self._chance.choice(
            [sound[:cut], sound + b"\x00", b"\x01" + sound[1:], sound[:5] + b"\xff" * 40]
        )

    async def _write(self, records: Sequence[Keyed]) -> None:
        left: list[Keyed] = list(records)
        while left:
            producer: Any = AIOKafkaProducer(
                bootstrap_servers=self._kafka, enable_idempotence=True, request_timeout_ms=5_000
            )
            try:
                await producer.start()
                sent = [
                    await producer.send(f"{self._prefix}{suffix}", key=key, value=value)
                    for suffix, key, value in left
                ]
                done: list[Any] = await asyncio.gather(*sent, return_exceptions=True)
                left = [
                    record
                    for record, answer in zip(left, done, strict=True)
                    if isinstance(answer, BaseException)
                ]
            except KafkaError:
                await _pass_time(_POLL_S)
            finally:
                with suppress(KafkaError):
                    await producer.stop()


class World:
    """Sinks that are restarted when they end, as a supervisor does, and everything beneath them."""

    def __init__(
        self, options: SinkOptions, kafka: Kafka, clickhouse: ClickHouse, thief: ReplyThief
    ) -> None:
        self._options = replace(options, clickhouse=thief.url)
        self._kafka = kafka
        self._clickhouse = clickhouse
        self._thief = thief
        self._sinks: list[subprocess.Popen[bytes] | None] = [None, None]
        self._guests: list[subprocess.Popen[bytes]] = []
        self._locks = {"broker": asyncio.Lock(), "clickhouse": asyncio.Lock()}
        self._frozen: set[int] = set()
        self.defects: list[int] = []
        """Exit codes of sinks that ended without a sentence."""

    @asynccontextmanager
    async def supervised(self) -> AsyncGenerator[None]:
        """Keep two sinks running; end all at the end."""
        watching = asyncio.create_task(self._supervise())
        try:
            yield
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
            for sink in [*self._sinks, *self._guests]:
                if sink is not None:
                    sink.send_signal(signal.SIGCONT)
                    sink.kill()
                    await asyncio.to_thread(sink.wait)

    async def play(self, actions: Sequence[Action]) -> None:
        """Do every action at its time; those that last overlap."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        async with asyncio.TaskGroup() as tasks:
            for action in actions:
                await _pass_time(max(0.0, begun + action.at_s - loop.time()))
                tasks.create_task(self._do(action))

    async def _do(self, action: Action) -> None:
        if action.way.startswith("sink"):
            await self._to_sink(action)
        elif action.way == "replies_lost":
            self._thief.every = 2
            await _pass_time(action.for_s)
            self._thief.every = 0
        else:
            victim, _, what = action.way.partition("_")
            member = self._kafka if victim == "broker" else self._clickhouse
            async with self._locks[victim]:
                assert member.process is not None
                pid = member.process.pid
                if what == "killed":
                    os.kill(pid, signal.SIGKILL)
                    await _pass_time(action.for_s / 3)
                    await asyncio.to_thread(member.start)
                else:
                    os.kill(pid, signal.SIGSTOP)
                    await _pass_time(action.for_s)
                    os.kill(pid, signal.SIGCONT)

    async def _to_sink(self, action: Action) -> None:
        if action.way == "sink_joins":
            self._guests.append(await asyncio.to_thread(spawn_sink, self._options))
            return
        if action.way == "sink_leaves" and self._guests:
            self._guests[-1].send_signal(signal.SIGTERM)
            return
        sink = self._sinks[action.victim]
        if sink is None or sink.poll() is not None or sink.pid in self._frozen:
            return
        if action.way in ("sink_killed", "sink_leaves"):
            sink.send_signal(signal.SIGKILL if action.way == "sink_killed" else signal.SIGTERM)
            return
        asleep_s = action.for_s + (SESSION_TIMEOUT_MS / 1000 if action.way == ZOMBIE else 0)
        self._frozen.add(sink.pid)
        sink.send_signal(signal.SIGSTOP)
        await _pass_time(asleep_s)
        sink.send_signal(signal.SIGCONT)
        self._frozen.discard(sink.pid)

    async def _supervise(self) -> None:
        while True:
            for place, sink in enumerate(self._sinks):
                code = None if sink is None else sink.poll()
                if sink is not None and code is None:
                    continue
                if code not in (None, 0, _TOLD, -signal.SIGKILL, -signal.SIGTERM):
                    self.defects.append(code or 0)
                named = replace(self._options, instance=f"sink-{place}")
                self._sinks[place] = await asyncio.to_thread(spawn_sink, named)
            await _pass_time(_POLL_S)


async def _pass_time(for_s: float) -> None:
    """Let time go by: how long something is broken is a part of what is done to it."""
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(for_s, over.set)
    await over.wait()
