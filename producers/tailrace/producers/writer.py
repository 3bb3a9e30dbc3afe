"""The door for what ran elsewhere: events and bodies made by hand, with the recorder's promise.

An importer uses it. Each run goes out in order, its last event only when all its earlier events and
every body published with it are acknowledged. Where the outlet has a spool, what lies safely in it
counts as acknowledged, and its offset is -1.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any

from tailrace.producers.content import encode
from tailrace.producers.delivery.outlet import Lane
from tailrace.producers.deployments.manifest import deployment_id
from tailrace.producers.routing.control import registration
from tailrace.schemas import wire
from tailrace.schemas.catalog import latest
from tailrace.schemas.errors import TailraceError
from tailrace.schemas.topics import CONTROL, RUNS, STEPS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tailrace.producers.delivery.outlet import Outlet
    from tailrace.schemas.events import Event
    from tailrace.schemas.payloads import Body
    from tailrace.schemas.records.base import Record
    from tailrace.schemas.topics import Topic


class NotAcknowledgedError(TailraceError):
    """Kafka did not acknowledge in time: what was published may or may not be on the log."""


class BrokenRunError(TailraceError):
    """The events handed over are no whole runs: a seq is missing, doubled or out of order."""


class JournalWriter:
    """Publishes whole runs. Get one from `Tailrace.writer()`; it is as thread-safe as that.

    Args:
        outlet: an open outlet.
        timeout_s: how long `publish` waits for acknowledgement.
    """

    def __init__(self, outlet: Outlet, *, timeout_s: float = 30.0) -> None:
        self._outlet = outlet
        self._timeout_s = timeout_s

    async def publish(self, events: Sequence[Event], bodies: Sequence[Body] = ()) -> None:
        """Publish whole runs and return when their last events are acknowledged.

        Args:
            events: of one or several runs, each run's in the order of seq, the last one its
                terminal event (the one with `last_seq`).
            bodies: all that the events name; every run in `events` waits for them all.

        Raises:
            BrokenRunError: if a run is not whole; nothing is published then.
            NotAcknowledgedError: if Kafka does not acknowledge in time, or lost a record.
        """
        pending = self._post(events, bodies)
        if pending:
            waiting = [asyncio.wrap_future(each) for each in pending]
            await asyncio.wait(waiting, timeout=self._timeout_s)
        self._check(pending)

    def publish_blocking(self, events: Sequence[Event], bodies: Sequence[Body] = ()) -> None:
        """Do what `publish` does, blocking the calling thread."""
        pending = self._post(events, bodies)
        wait(pending, timeout=self._timeout_s)
        self._check(pending)

    def append(self, topic: Topic, key: str, record: Record) -> int:
        """Write one record that is no event, such as a score; return its offset once acknowledged.

        Blocks the calling thread.

        Raises:
            NotAcknowledgedError: if Kafka does not acknowledge in time.
        """
        value = wire.encode(latest(record.schema_name), record.flatten())
        return self._offset(self._outlet.append(topic, key.encode(), value))

    def register_deployment(
        self, manifest: Mapping[str, Any], *, recorded_only: bool, label: str = "", actor: str
    ) -> str:
        """Register a manifest for each of its components; return its id once acknowledged.

        Blocks the calling thread. Registering the same manifest again changes nothing.

        Args:
            manifest: see `tailrace.producers.deployments.manifest`; `components` maps a
                component's name to what defines it.
            recorded_only: whether it stands for recorded runs alone and cannot be routed to.
            label: a short name for people; no part of the id.
            actor: who registers it, a person or an automaton.

        Raises:
            NotAcknowledgedError: if Kafka does not acknowledge in time.
        """
        for component in sorted(manifest["components"]):
            record = registration(
                manifest, component, recorded_only=recorded_only, label=label, actor=actor
            )
            self.append(CONTROL, component, record)
        return deployment_id(manifest)

    def _post(self, events: Sequence[Event], bodies: Iterable[Body]) -> list[Future[int]]:
        runs = _by_run(events)
        kept = list(bodies)
        pending: list[Future[int]] = []
        for run in runs:
            lane = Lane(run[0].run.trace_id)
            for body in kept:
                self._outlet.post_body(lane, body)
            prefix = encode.run_prefix(run[0].flatten())
            for event in run:
                value = encode.splice(prefix, event.seq, encode.own_part(event.flatten()))
                topic = STEPS if event.kind.startswith("step_") else RUNS
                if event is run[-1]:
                    self._outlet.finish(lane, topic, value)
                else:
                    self._outlet.post(lane, topic, value)
            pending.append(lane.done)
        return pending

    def _offset(self, future: Future[int]) -> int:
        try:
            return future.result(self._timeout_s)
        except TimeoutError:
            raise self._not_acknowledged(1) from None

    def _check(self, pending: Sequence[Future[int]]) -> None:
        missing = sum(1 for each in pending if not each.done() or each.result() > 0)
        if missing:
            raise self._not_acknowledged(missing)

    def _not_acknowledged(self, count: int) -> NotAcknowledgedError:
        return NotAcknowledgedError(
            f"Kafka has not acknowledged {count} of what was published within "
            f"{self._timeout_s:g} s: see the log of the sender, then publish the same again"
        )


def _by_run(events: Sequence[Event]) -> list[list[Event]]:
    runs: dict[str, list[Event]] = {}
    for event in events:
        runs.setdefault(event.run.run_id, []).append(event)
    for run_id, run in runs.items():
        if [event.seq for event in run] != list(range(len(run))):
            raise BrokenRunError(f"the events of run {run_id} are not numbered 0 to {len(run) - 1}")
        if getattr(run[-1], "last_seq", None) != run[-1].seq:
            raise BrokenRunError(f"the last event of run {run_id} does not say that it is the last")
    return list(runs.values())
