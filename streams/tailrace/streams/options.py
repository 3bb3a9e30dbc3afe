"""What can be told to a stream worker, and what it tells about itself while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tailrace.schemas.names import STREAMS
from tailrace.schemas.topics import topic_prefix
from tailrace.streams.execution import Limits
from tailrace.streams.liveness import Liveness
from tailrace.streams.meters import Meters

Store = Literal["memory", "rocksdb"]

SESSION_S = 9.0
"""A worker that was killed is missed by its group after so long, and its partitions move on."""

HEARTBEAT_S = 3.0
"""How often the group hears from a worker."""


@dataclass(frozen=True)
class StreamOptions:
    """The settings of one stream worker; every one has a default that works."""

    kafka: str | None = None
    """Bootstrap servers; None for the configured ones."""

    prefix: str | None = None
    """What the topics' names begin with; None for the configured one."""

    instance: str | None = None
    """A name for this process among the group's, the same after a restart: it gets its partitions
    back at once, where others have to wait until the group misses them. None for no such name."""

    limits: Limits = field(default_factory=Limits)
    """How long things are waited for."""

    store: Store = "memory"
    """Where state lies beside its changelog: `rocksdb` keeps it on disk, in `data`."""

    data: Path = Path(".tailrace/streams")
    """The folder of this worker alone for what it keeps on disk."""

    schema_wait_s: float = 10.0
    """How long a record waits for its unknown schema to be published before it is dead-lettered."""

    session_s: float = SESSION_S
    """After so long without a sign of life the group takes the worker for dead."""

    tick_s: float = 1.0
    """How often it is looked whether time has closed something."""

    @property
    def topic_prefix(self) -> str:
        """What the topics' names begin with."""
        return topic_prefix() if self.prefix is None else self.prefix

    @property
    def group_id(self) -> str:
        """The consumer group's name, which the changelog's begins with, too."""
        return STREAMS.name(self.topic_prefix)


@dataclass
class StreamStats:
    """Counts since this worker started; read it from anywhere, only the worker writes it."""

    events: int = 0
    """Records of `runs` that were folded and acknowledged."""

    traces: int = 0
    """Closed executions that were published, each revision of each."""

    abandoned: int = 0
    """Those among them that were abandoned."""

    dead_letters: int = 0
    """Records that were dead-lettered."""

    last_dead_letter: str = ""
    """Where the newest of them lies in the log, and why it could not be read."""

    partitions: int = 0
    """Partitions owned now."""

    open_executions: int = 0
    """Executions of these that are not closed."""

    ready: bool = False
    """Whether its state is back and it reads."""

    meters: Meters = field(default_factory=Meters, compare=False, repr=False)
    """The same and more, as metrics."""

    health: Liveness = field(default_factory=Liveness, compare=False, repr=False)
    """Whether the worker is stuck."""
