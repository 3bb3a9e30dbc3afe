"""What a ledger is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tailrace.sinks.archive.options import SinkOptions

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True)
class LedgerOptions:
    """Where to look, and at what."""

    sink: SinkOptions = field(default_factory=SinkOptions)
    """The log, the group and the database, as the sink that fills it has them."""

    component: str = ""
    """Runs of this component; the partitions are looked at whole."""

    environment: str = ""
    """Runs of this environment, likewise."""

    session: str = ""
    """Runs of this session, likewise."""

    since: datetime | None = None
    """Runs that began at or after this, and what the log holds from then on."""

    settle_s: float = 10.0
    """A run whose newest event is younger than this, by the broker's time against this machine's
    clock, is not judged: events of one run travel by several partitions."""

    chunk_rows: int = 1_000_000
    """Events that one question of the run side covers; whole traces, so a longer one is covered
    whole."""

    chunk_offsets: int = 65_536
    """Offsets that one question of the log side covers."""

    chunk_bytes: int = 32 << 20
    """Bytes of records that the log side holds at once, of one partition at a time."""
