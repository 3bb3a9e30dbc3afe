"""How a client reaches Kafka: what it was told, and the sender that is opened with that.

In a forked child the same is opened once more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tailrace.producers.delivery.spool import Spool, spool_root
from tailrace.producers.process.loading import loading
from tailrace.producers.process.log_lines import keep_lines_whole
from tailrace.producers.tree.place import PLACE
from tailrace.schemas.catalog import latest
from tailrace.schemas.endpoints import kafka_options
from tailrace.schemas.topics import SCHEMAS, topic_prefix

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tailrace.producers.delivery.room import WhenFull
    from tailrace.producers.delivery.sender import KafkaSender

WRITTEN_RECORDS = (
    "journal_event",
    "heartbeat",
    "body",
    "deployment_registered",
    "pointer_moved",
    "score",
)
"""The records whose schemas a client publishes when it opens."""


@dataclass(frozen=True)
class Spooling:
    """Where records wait on disk, and from when on."""

    folder: str | None
    max_bytes: int
    after_s: float


@dataclass(frozen=True)
class Connection:
    """What `Tailrace` was told of Kafka, the buffer and the spool; its arguments say what it is."""

    kafka: str | None
    prefix: str | None
    spooling: Spooling
    required: bool
    when_full: WhenFull
    max_buffer_bytes: int
    timeout_s: float
    """How long opening may take."""

    def open(self, on_tick: Callable[[], None]) -> KafkaSender:
        """Return a sender that is connected, or goes on trying in the background.

        Blocks for `timeout_s` at most. The schemas of what it will send are sent first.

        Args:
            on_tick: called about four times a second, on the sender's thread.

        Raises:
            KafkaUnreachableError: if Kafka does not answer in that time and is required.
            NoEndpointError: if no address of Kafka is known.
        """
        # Kafka's client library is loaded by those who open a client, not by every import.
        with loading():
            from tailrace.producers.delivery.sender import KafkaSender  # noqa: PLC0415
            from tailrace.schemas.schema_log import log_record  # noqa: PLC0415

        keep_lines_whole()
        options = kafka_options(self.kafka)
        sender = KafkaSender(
            options,
            prefix=self.prefix,
            max_buffer_bytes=self.max_buffer_bytes,
            on_tick=on_tick,
            spool=self._new_spool(str(options["bootstrap_servers"])),
            spool_after_s=self.spooling.after_s,
            when_full=self.when_full,
            required=self.required,
        )
        # The sender's thread belongs to no run, though a forked child begins it within one.
        place = PLACE.set(None)
        try:
            sender.open(self.timeout_s)
        finally:
            PLACE.reset(place)
        for name in WRITTEN_RECORDS:
            sender.append(SCHEMAS, *log_record(latest(name)))
        return sender

    def _new_spool(self, servers: str) -> Spool | None:
        if not self.spooling.max_bytes:
            return None
        return Spool(self._folder(servers), max_bytes=self.spooling.max_bytes)

    def host_folder(self) -> Path:
        """Return the folder in which this host keeps what concerns the cluster and the prefix.

        Raises:
            NoEndpointError: if no address of Kafka is known.
        """
        return self._folder(str(kafka_options(self.kafka)["bootstrap_servers"]))

    def _folder(self, servers: str) -> Path:
        prefix = topic_prefix() if self.prefix is None else self.prefix
        return spool_root(self.spooling.folder, servers, prefix)
