"""What can be done about a dead letter: send the record again, or give it up for good.

Either is recorded on the log, beside the letter, which stays: tables are derived from both.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tailrace.schemas import topics
from tailrace.schemas.catalog import latest
from tailrace.schemas.dead_letter_log import MAX_REQUEST_BYTES
from tailrace.schemas.endpoints import kafka_options
from tailrace.schemas.errors import TailraceError
from tailrace.schemas.wire import RETRY_HEADER, encode
from tailrace.sinks.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Self

    from tailrace.sinks.queries.dead_letters import ListedDeadLetter

RETRIED = "retried"
DROPPED = "dropped"


class RetryRefusedError(TailraceError):
    """A record cannot be sent again without becoming another fact than it was."""


class DecisionFailedError(TailraceError):
    """The broker did not take a record that was sent again, or the decision about it."""


@dataclass(frozen=True)
class Decider:
    """Who decides, and why."""

    actor: str
    reason: str = ""


def refusal(letter: ListedDeadLetter, prefix: str | None = None) -> str | None:
    """Return why the record of a letter must not be sent again; None if it may.

    A record is told from others by its identity, so one that was stored meanwhile and is stored
    again is still one fact. Where the offset is a part of the identity, the order of the log is the
    meaning, and the same bytes further on would say something else.
    """
    by_order = {
        topic.name(prefix)
        for table in TABLES
        if "offset" in table.identity
        for topic in table.topics
    }
    if letter.source_topic in by_order:
        return (
            f"{letter.id} was not sent again: in {letter.source_topic} the order decides, so a "
            "record that comes later means something else; make the move anew"
        )
    if letter.source_topic == topics.DEAD_LETTERS.name(prefix):
        return f"{letter.id} was not sent again: it is a dead letter itself; see its source"
    if letter.size_bytes is None:
        return (
            f"{letter.id} was not sent again: its bytes are not kept in the letter, as it was too "
            "large or a tombstone; it lies in the log at these coordinates"
        )
    return None


class LetterDesk:
    """Sends records again and records decisions; an async context manager around its connection.

    Args:
        kafka: bootstrap servers; None for the configured ones.
        prefix: of the topics' names; the configured one when None.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        kafka: str | None = None,
        prefix: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._prefix = prefix
        self._clock = clock
        self._kafka = kafka_options(kafka)
        self._producer: Any = None

    async def __aenter__(self) -> Self:
        self._producer = cast("Any", AIOKafkaProducer)(
            **self._kafka, enable_idempotence=True, max_request_size=MAX_REQUEST_BYTES
        )
        try:
            await self._producer.start()
        except KafkaError as error:
            await self._producer.stop()
            raise DecisionFailedError(
                f"no answer from Kafka at {self._kafka['bootstrap_servers']}: is it running?"
            ) from error
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._producer.stop()

    async def retry(
        self, letter: ListedDeadLetter, key: bytes | None, value: bytes, decider: Decider
    ) -> int:
        """Send the record's bytes to its topic and partition again; return the new offset.

        At least once: if this process dies before the decision is recorded, the record was sent and
        the letter still stands, and sending it once more is stored as the same fact.

        Raises:
            RetryRefusedError: if it must not be sent again.
            DecisionFailedError: if the broker does not take it.
        """
        why_not = refusal(letter, self._prefix)
        if why_not is not None:
            raise RetryRefusedError(why_not)
        # The partition is said: the record's neighbours by key lie there, whatever partitioner
        # its producer used.
        headers = [(RETRY_HEADER, letter.id.encode())]
        sent = await self._send(letter.source_topic, key, value, letter.source_partition, headers)
        await self._decide(letter, RETRIED, decider, sent)
        return sent

    async def drop(self, letter: ListedDeadLetter, decider: Decider) -> None:
        """Record that nothing will be done about a letter; the log keeps it.

        Raises:
            DecisionFailedError: if the broker does not take it.
        """
        await self._decide(letter, DROPPED, decider, -1)

    async def _decide(
        self, letter: ListedDeadLetter, decision: str, decider: Decider, sent_offset: int
    ) -> None:
        record = {
            "source_log_id": letter.source_log_id,
            "source_topic": letter.source_topic,
            "source_partition": letter.source_partition,
            "source_offset": letter.source_offset,
            "ts": int(self._clock() * 1_000_000),
            "decision": decision,
            "actor": decider.actor,
            "reason": decider.reason,
            "sent_offset": sent_offset,
        }
        name = topics.DEAD_LETTERS.name(self._prefix)
        value = encode(latest("dead_letter_decision"), record)
        await self._send(name, letter.source_topic.encode(), value, None)

    async def _send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes,
        partition: int | None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> int:
        try:
            sent = await self._producer.send_and_wait(
                topic, value, key=key, partition=partition, headers=list(headers)
            )
        except (KafkaError, AssertionError) as error:  # aiokafka asserts that the partition exists
            raise DecisionFailedError(
                f"{topic} did not take the record: {type(error).__name__}: {error}"
            ) from error
        return int(sent.offset)
