"""A worker: runs what is dispatched to one deployment, and commits what is done.

A request is done when the last event of its run is acknowledged; only then is it committed, so a
worker that is killed leaves its requests to the others. Requests of one key are run one after the
other. What may have been begun before, by a worker that is gone, is looked up first: done, begun,
or never begun.
"""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from aiokafka import AIOKafkaConsumer
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import IllegalStateError, KafkaError

from tailrace.producers.client import Tailrace
from tailrace.producers.dispatch.execution import Execution, Work, look_up
from tailrace.producers.dispatch.giving_up import NO_REQUEST, given_up, is_decided
from tailrace.producers.dispatch.loaded import loaded_for
from tailrace.producers.dispatch.progress import Progress
from tailrace.producers.dispatch.records import NoRecords
from tailrace.producers.dispatch.requests import ensure_topic, requests_topic, worker_group
from tailrace.producers.routing.pointer_routes import PointerRoutes
from tailrace.producers.routing.route import ControlUnknownError
from tailrace.schemas import wire
from tailrace.schemas.consumers import stop_consumer
from tailrace.schemas.dead_letter_log import DeadLetterSender
from tailrace.schemas.errors import TailraceError
from tailrace.schemas.payload_reading import resolve
from tailrace.schemas.records import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tailrace.producers.dispatch.loaded import Loaded
    from tailrace.producers.dispatch.records import RecordSource
    from tailrace.producers.redaction import Rule

_log = logging.getLogger("tailrace.producers")

_POLL_S = 0.2
_CONTROL_S = 30.0
_REBALANCE_MS = 120_000
_POLL_LIMIT_MS = 24 * 3600 * 1000
_ALL = (1 << 63) - 1
"""An offset that no record has."""

_SURE = 0.7
"""For which share of a session a worker is sure of its partitions after it last proved them."""


class WorkerError(TailraceError):
    """A worker cannot go on, for Kafka lets it not; what it had not done is left to others."""


@dataclass(frozen=True)
class WorkerOptions:
    """How a worker works.

    Args:
        deployment: whose requests it runs, 64 hex digits.
        kafka: bootstrap servers; the configured ones when None.
        prefix: of the topics' names; the configured one when None.
        environment: under which child runs of components beyond the deployment are routed, where a
            request does not say.
        concurrency: how many requests are run at once.
        redact: what is taken out of what runs are recorded with; see `Tailrace`.
        session_s: after which silence the group takes a worker for dead.
        drain_s: how long a stop, or the loss of a partition, waits for what is being run.
    """

    deployment: str
    kafka: str | None = None
    prefix: str | None = None
    environment: str = "prod"
    concurrency: int = 8
    redact: Rule | Sequence[Rule] | None = None
    session_s: float = 10.0
    drain_s: float = 30.0


@dataclass
class WorkerStats:
    """What a worker has done."""

    taken: int = 0
    answered: int = 0
    failed: int = 0
    """Of the answered: runs that failed."""

    taken_up_again: int = 0
    """Requests that a worker before had begun."""

    done_before: int = 0
    """Requests that a worker before had answered."""

    lost: int = 0
    """Requests that went to another worker while they were run."""

    parked: int = 0
    """Requests that wait for a person, as dead letters: nobody knows whether a write happened."""

    rejected: int = 0
    """Records that are no request of this deployment; they are dead letters."""


async def run_worker(
    components: Iterable[Callable[..., Any]],
    options: WorkerOptions,
    stop: asyncio.Event,
    *,
    records: RecordSource | None = None,
    stats: WorkerStats | None = None,
) -> None:
    """Run requests until `stop` is set, then drain: finish what runs, commit, leave the group.

    Args:
        components: decorated functions, among them all of the deployment's.
        options: see there.
        stop: ends it.
        records: what was recorded of requests that may have been begun before; without it they are
            done anew.
        stats: counted into.

    Raises:
        UnregisteredDeploymentError, CodeMismatchError: if the loaded code is not the deployment's.
        KafkaUnreachableError, TopicAdminError, WorkerError: if Kafka does not answer, or refuses.
        NotRecordedError: if a run was not recorded.
        DeadLetterFailedError: if a record is given up and was not dead-lettered.
    """
    client = Tailrace(
        options.kafka,
        options.environment,
        options.prefix,
        require_kafka=True,
        redact=options.redact,
        spool_bytes=0,  # what is stored must be on the log, where the next worker finds it
        handle_sigterm=False,
    )
    async with client:
        worker = Worker(client, options, records or NoRecords(), stats or WorkerStats())
        await worker.run(components, stop)


@dataclass
class _Lane:
    """Requests of one partition."""

    progress: Progress = field(default_factory=Progress)
    known_from: int = 0
    """From this offset on nobody can have begun a request before this worker did."""

    running: dict[int, asyncio.Task[None]] = field(default_factory=dict[int, "asyncio.Task[None]"])
    executions: dict[int, Execution] = field(default_factory=dict[int, Execution])
    ours: bool = True


class Worker(ConsumerRebalanceListener):
    """See `run_worker`."""

    def __init__(
        self, client: Tailrace, options: WorkerOptions, records: RecordSource, stats: WorkerStats
    ) -> None:
        self._client = client
        self._options = options
        self._records = records
        self.stats = stats
        self._loaded: dict[str, Loaded] = {}
        self._lanes: dict[Any, _Lane] = {}
        self._keys: dict[bytes, asyncio.Task[None]] = {}
        self._free = asyncio.Semaphore(options.concurrency)
        self._executor = ThreadPoolExecutor(options.concurrency, thread_name_prefix="request")
        assert client.sender is not None
        self._connection = client.sender.options
        self._group = worker_group(options.deployment, options.prefix)
        self._letters = DeadLetterSender(self._connection, self._group, options.prefix)
        self._consumer: Any = None
        self._sure_until = 0.0
        self._proved = asyncio.Event()
        self._failure: BaseException | None = None
        self._behind = False  # whether a commit failed and this was said

    async def run(self, components: Iterable[Callable[..., Any]], stop: asyncio.Event) -> None:
        """Work until told to stop."""
        options = self._options
        await self._check(components)
        await ensure_topic(options.deployment, self._connection, options.prefix)
        self._consumer = AIOKafkaConsumer(
            **self._connection,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=round(options.session_s * 1000),
            heartbeat_interval_ms=round(options.session_s * 1000 / 5),
            rebalance_timeout_ms=_REBALANCE_MS,
            max_poll_interval_ms=_POLL_LIMIT_MS,
        )
        self._consumer.subscribe(
            [requests_topic(options.deployment).name(options.prefix)], listener=self
        )
        proving: asyncio.Task[None] | None = None
        try:
            await self._consumer.start()
            proving = asyncio.create_task(self._prove())
            while not stop.is_set() and self._failure is None:
                await self._take()
        except (KafkaError, OSError) as error:
            raise WorkerError(
                f"requests cannot be read: {error!r}; see whether Kafka runs"
            ) from error
        finally:
            await self._drain(list(self._lanes))
            if proving is not None:
                proving.cancel()
                await asyncio.gather(proving, return_exceptions=True)
            await stop_consumer(self._consumer)
            await self._letters.stop()
            self._executor.shutdown(wait=False, cancel_futures=True)
        if self._failure is not None:
            raise self._failure

    async def _check(self, components: Iterable[Callable[..., Any]]) -> None:
        routes = self._client.routes
        assert isinstance(routes, PointerRoutes)
        await asyncio.wait([asyncio.wrap_future(routes.ready)], timeout=_CONTROL_S)
        if not routes.ready.done():
            raise ControlUnknownError("the control topic could not be read: see whether Kafka runs")
        deployment = self._options.deployment
        self._loaded = loaded_for(components, deployment, routes.manifests(deployment))

    async def _take(self) -> None:
        """Take one request up, when there is one and room for it."""
        try:
            await asyncio.wait_for(self._free.acquire(), _POLL_S)
        except TimeoutError:
            return
        taken = False
        try:
            batches = await self._consumer.getmany(timeout_ms=round(_POLL_S * 1000), max_records=1)
            for partition, records in batches.items():
                for record in records:
                    taken = self._begin(partition, record)
        finally:
            if not taken:
                self._free.release()

    def _begin(self, partition: Any, record: Any) -> bool:
        lane = self._lanes.get(partition)
        if lane is None:
            # It came before the partition was taken over: it is to come again then. Where the
            # partition is another's by now, there is no place to go back to.
            with suppress(IllegalStateError):
                self._consumer.seek(partition, record.offset)
            return False
        if not lane.ours:
            return False
        lane.progress.take(record.offset)
        key = record.key or b""
        task = asyncio.create_task(self._work(lane, record, self._keys.get(key)))
        lane.running[record.offset] = self._keys[key] = task
        task.add_done_callback(lambda done: self._ended(lane, record, done))
        return True

    def _ended(self, lane: _Lane, record: Any, task: asyncio.Task[None]) -> None:
        self._free.release()
        lane.running.pop(record.offset, None)
        lane.executions.pop(record.offset, None)
        if self._keys.get(record.key or b"") is task:
            del self._keys[record.key or b""]
        if not task.cancelled() and task.exception() is not None:
            self._failure = self._failure or task.exception()

    async def _work(self, lane: _Lane, record: Any, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait({before})
        if not lane.ours or self._failure is not None:
            return
        self.stats.taken += 1
        work = self._asked(record)
        if work is None:
            self.stats.rejected += 1
            await self._letters.send(given_up(record), NO_REQUEST)
        else:
            again = record.offset < lane.known_from or work.decided
            while not await self._execute(lane, record, work, again=again):
                again = True
                if not await self._sure(lane):
                    return  # another worker has it
        lane.progress.end(record.offset)

    def _asked(self, record: Any) -> Work | None:
        """Return what a record asks for; None if it is nothing that can be done here."""
        try:
            schema, fields = wire.decode(record.value or b"")
            request = Request.parse(fields) if schema.name == "request" else None
            given = None if request is None else resolve(request.input or "{}", {})
        except (wire.WireError, ValueError, RecursionError):
            return None
        if request is None or request.deployment != self._options.deployment:
            return None
        if request.component not in self._loaded or not isinstance(given, dict):
            return None
        return Work(request, cast("dict[str, Any]", given), is_decided(record))

    async def _execute(self, lane: _Lane, record: Any, work: Work, *, again: bool) -> bool:
        """Run a request to its end; say whether it is done, and not another worker's by now."""
        recorded = await look_up(self._records, work.request) if again else None
        if recorded is not None and recorded.answered:
            self.stats.done_before += 1
            return True
        self.stats.taken_up_again += recorded is not None and bool(recorded.root_run_id)
        loaded = self._loaded[work.request.component]
        execution = Execution(loaded, work, recorded, lambda: self._is_ours(lane))
        lane.executions[record.offset] = execution
        outcome = await execution.run(self._client, self._executor)
        if outcome == "parked":
            self.stats.parked += 1
            await self._letters.send(given_up(record), execution.parked)
        self.stats.answered += outcome in {"completed", "failed"}
        self.stats.failed += outcome == "failed"
        self.stats.lost += outcome == "lost"
        return outcome != "lost"

    def _is_ours(self, lane: _Lane) -> bool:
        return lane.ours and time.monotonic() < self._sure_until

    async def _sure(self, lane: _Lane) -> bool:
        """Wait until it is known again whose the partition is; say whether it is ours."""
        while lane.ours and not self._is_ours(lane):
            self._proved.clear()
            await self._proved.wait()
        return lane.ours

    async def _prove(self) -> None:
        """Commit what is done; that the group takes it proves that the partitions are ours."""
        while True:
            began = time.monotonic()
            if await self._commit(list(self._lanes)):
                self._sure_until = began + _SURE * self._options.session_s
                self._proved.set()
            await asyncio.sleep(_POLL_S)

    async def _commit(self, partitions: list[Any]) -> bool:
        done: dict[Any, int] = {}
        try:
            for partition in partitions:
                lane = self._lanes.get(partition)
                position = None if lane is None else lane.progress.position
                done[partition] = (
                    await self._consumer.position(partition) if position is None else position
                )
            if done:
                await self._consumer.commit(done)
        except (KafkaError, OSError) as error:  # a partition may be another's meanwhile, too
            level = logging.DEBUG if self._behind else logging.WARNING
            _log.log(level, "tailrace: what is done is not committed yet: %r", error)
            self._behind = True
            return False
        self._behind = False
        return True

    async def on_partitions_assigned(self, assigned: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - awaited by aiokafka
        """Take partitions over: what lies in them by now may have been begun by others."""
        ends: dict[Any, int] = {}
        try:
            ends = await self._consumer.end_offsets(list(assigned)) if assigned else {}
        except (KafkaError, OSError) as error:
            _log.warning("tailrace: every request is looked up before it is done: %r", error)
        for partition in assigned:
            self._lanes[partition] = _Lane(known_from=ends.get(partition, _ALL))
        self._sure_until = time.monotonic() + _SURE * self._options.session_s

    async def on_partitions_revoked(self, revoked: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - as above
        """Finish what runs, within a limit, and commit it; the rest is the next owner's."""
        await self._drain(list(revoked))
        for partition in revoked:
            self._lanes.pop(partition, None)

    async def _drain(self, partitions: list[Any]) -> None:
        lanes = [self._lanes[each] for each in partitions if each in self._lanes]
        running = [task for lane in lanes for task in lane.running.values()]
        if running:
            await asyncio.wait(running, timeout=self._options.drain_s)
        for lane in lanes:
            for execution in lane.executions.values():
                execution.leave()
            lane.ours = False
        self._proved.set()
        left = [task for lane in lanes for task in lane.running.values()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._commit([each for each in partitions if each in self._lanes])
