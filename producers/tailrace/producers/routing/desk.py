"""The desk that moves pointers: it reads `control`, writes to it, and says what became of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tailrace.producers.deployments.manifest import deployment_id
from tailrace.producers.routing.control import registration
from tailrace.producers.routing.control_log import ControlLog
from tailrace.producers.routing.moves import Target, told
from tailrace.producers.routing.pointers import Ruling
from tailrace.schemas import wire
from tailrace.schemas.catalog import latest
from tailrace.schemas.endpoints import kafka_options
from tailrace.schemas.errors import TailraceError
from tailrace.schemas.schema_log import send_schemas
from tailrace.schemas.topics import CONTROL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from tailrace.producers.routing.control import Applied
    from tailrace.producers.routing.moves import Mover
    from tailrace.producers.routing.pointers import Control
    from tailrace.schemas.records import PointerMoved
    from tailrace.schemas.records.base import Record

_WRITTEN = ("deployment_registered", "pointer_moved", "pointer_frozen", "pointer_unfrozen")


class ControlUnreachableError(TailraceError):
    """Kafka did not answer: a record may or may not lie on the control topic."""


class MoveIgnoredError(TailraceError):
    """A move lies on the log and does not count; the text says what stands instead."""

    def __init__(self, text: str, ruling: Ruling) -> None:
        super().__init__(text)
        self.ruling = ruling


class ControlDesk:
    """Decides on what the control topic says now; an async context manager around its connection.

    Whatever it writes is acknowledged by all replicas and read back before a method returns.

    Args:
        kafka: bootstrap servers; the configured ones when None.
        prefix: of the topics' names; the configured one when None.
        timeout_s: how long Kafka may take for one answer.
        on_record: called with each record of the topic as it is read.
    """

    def __init__(
        self,
        kafka: str | None = None,
        prefix: str | None = None,
        *,
        timeout_s: float = 30.0,
        on_record: Callable[[Applied], None] | None = None,
    ) -> None:
        self._options = kafka_options(kafka)
        self._prefix = prefix
        self._timeout_s = timeout_s
        self._log = ControlLog(self._options, prefix, on_record=on_record)
        self._producer: Any = None

    @property
    def control(self) -> Control:
        """What the topic says, as far as it was read: at least to the end it had on entering."""
        return self._log.control

    def target(self, environment: str, component: str) -> Target:
        """Return a pointer to decide on."""
        return Target(self.control, environment, component)

    async def __aenter__(self) -> Self:
        """Read the topic to its end.

        Raises:
            TopicUnreachableError: if the topic is missing or Kafka does not answer in time.
        """
        await self._log.follower.start(self._timeout_s)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._log.follower.stop()
        if self._producer is not None:
            await self._producer.stop()

    async def refresh(self) -> Control:
        """Read to the end that the topic has now.

        Raises:
            TopicUnreachableError: if Kafka does not answer in time.
        """
        await self._log.follower.refresh(self._timeout_s)
        return self.control

    async def register(
        self, manifest: Mapping[str, Any], *, label: str = "", mover: Mover
    ) -> tuple[str, tuple[str, ...]]:
        """Register a manifest for those of its components that it is not registered for yet.

        Returns:
            The deployment's id, and the components that were new.

        Raises:
            ControlUnreachableError: if Kafka does not acknowledge in time; registering again is
                harmless.
        """
        deployment = deployment_id(manifest)
        new = tuple(
            component
            for component in sorted(manifest["components"])
            if (component, deployment) not in self.control.deployments
        )
        for component in new:
            record = registration(
                manifest, component, label=label, actor=mover.actor, actor_kind=mover.kind
            )
            await self.append(record, component)
        return deployment, new

    async def move(self, move: PointerMoved) -> int:
        """Ask for a move, and return its revision once it counts for every reader.

        Sending an accepted move again is no error: its first record's offset is returned.

        Raises:
            MoveIgnoredError: if it does not count: decided on a pointer that was moved or frozen
                meanwhile.
            ControlUnreachableError: if Kafka does not acknowledge in time; sending the same move
                again is harmless.
        """
        if move.move_id not in self.control.rulings:
            await self.append(move, move.component)
        revision, ruling = self.control.rulings[move.move_id]
        if ruling is not Ruling.ACCEPTED:
            raise MoveIgnoredError(told(ruling, self.control, move), ruling)
        return revision

    async def append(self, record: Record, component: str) -> int:
        """Write one record of control and return its offset when it has been read back.

        Raises:
            ControlUnreachableError: if Kafka does not acknowledge in time.
        """
        value = wire.encode(latest(record.schema_name), record.flatten())
        try:
            async with asyncio.timeout(self._timeout_s):
                producer = await self._connected()
                sent = await producer.send_and_wait(
                    CONTROL.name(self._prefix), key=component.encode(), value=value
                )
                await self._log.follower.reach(sent.offset, self._timeout_s)
        except (KafkaError, OSError, TimeoutError) as error:
            raise ControlUnreachableError(
                f"Kafka did not take the change of {component} within {self._timeout_s:g} s "
                f"({str(error) or 'no answer'}): it may or may not lie on the log; look with "
                "`tailrace pointers`, then do the same again"
            ) from error
        offset: int = sent.offset
        return offset

    async def _connected(self) -> Any:
        if self._producer is None:
            producer: Any = AIOKafkaProducer(**self._options, acks="all", enable_idempotence=True)
            try:
                await producer.start()
                await send_schemas(producer, map(latest, _WRITTEN), prefix=self._prefix)
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        return self._producer
