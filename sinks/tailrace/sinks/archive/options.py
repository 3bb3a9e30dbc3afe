"""What can be told to the archive sink, and what it tells about itself while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from tailrace.schemas.names import ARCHIVE
from tailrace.schemas.topics import topic_prefix
from tailrace.sinks.archive.cutting import Limits
from tailrace.sinks.archive.health import Health
from tailrace.sinks.archive.meters import Meters


@dataclass(frozen=True)
class SinkOptions:
    """The settings of one sink process; every one has a default that works."""

    kafka: str | None = None
    """Bootstrap servers; None for the configured ones."""

    clickhouse: str | None = None
    """ClickHouse's HTTP address; None for the configured one."""

    database: str | None = None
    """The database to write to; None for the configured one."""

    prefix: str | None = None
    """What the topics' names begin with; None for the configured one."""

    group: str | None = None
    """The consumer group, whose commits hold the state; None for the declared one."""

    instance: str | None = None
    """A name for this process among the group's, the same after a restart: it gets its partitions
    back at once, where others have to wait until the group misses them. None for no such name."""

    limits: Limits = field(default_factory=Limits)
    """How large a block may get."""

    linger_ms: int = 300
    """How long a record waits for others before its block is inserted, where the log is read up."""

    loaded_linger_ms: int = 2_000
    """The same while a quarter of a block and more waits in the log, when larger blocks pay."""

    inserts: int = 2
    """How many inserts run at once."""

    buffer_bytes: int = 192 << 20
    """So many bytes of all partitions together may wait to be inserted; then those that hold more
    than their share are paused, and their blocks are inserted as large as they are."""

    schema_wait_s: float = 10.0
    """How long a record waits for its unknown schema to be published before it is dead-lettered."""

    max_rejected_share: float = 0.5
    """Above this share of bad records in a block of 100 or more, the sink stops instead."""

    patience_s: float = 300.0
    """How long one insert is retried before the sink stops."""

    handover_s: float = 5.0
    """How long a running insert is waited for when a partition is revoked or the sink stops."""

    @property
    def group_id(self) -> str:
        """The consumer group's name."""
        return self.group or ARCHIVE.name(self.topic_prefix)

    @property
    def topic_prefix(self) -> str:
        """What the topics' names begin with."""
        return topic_prefix() if self.prefix is None else self.prefix


@dataclass
class SinkStats:
    """Counts since this sink started; read it from anywhere, only the sink writes it."""

    rows: int = 0
    """Records inserted; those that a repeated insert found stored already are counted as well."""

    bytes: int = 0
    """Bytes of the records' values in the blocks that are stored."""

    blocks: int = 0
    """Blocks stored."""

    retries: int = 0
    """Inserts that were repeated after an error."""

    skipped: int = 0
    """Records without a row by rule: heartbeats and tombstones."""

    narrowed: int = 0
    """Records of a newer schema whose fields without a column were left out."""

    looks: int = 0
    """How often the rows of a partition that are not settled were looked for in the tables."""

    compared: int = 0
    """Portions of the log that were read again and compared with the tables, in all repairs."""

    repaired: int = 0
    """Rows that were acknowledged, were missing later, and were stored again."""

    dead_letters: int = 0
    """Records that were dead-lettered."""

    last_dead_letter: str = ""
    """Where the newest of them lies in the log, and why it could not be stored."""

    lag: int = 0
    """Offsets of the owned partitions that are in the log and not yet known to be stored."""

    partitions: int = 0
    """Partitions owned now."""

    waiting_for_schemas: int = 0
    """Partitions that stall until a schema is published."""

    insert_s: float = 0.0
    """Seconds spent in inserts, splice included, summed over those that ran at once."""

    meters: Meters = field(default_factory=Meters, compare=False, repr=False)
    """The same and more, as metrics."""

    health: Health = field(default_factory=Health, compare=False, repr=False)
    """Whether the sink is stuck."""
