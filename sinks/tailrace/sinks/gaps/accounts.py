"""What the ledger tells: an account a partition, an account a run with a gap, and the totals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tailrace.sinks.gaps.ranges import Missing

if TYPE_CHECKING:
    from datetime import datetime

Named = Literal["child", "parent", "offer", "body"]
"""What a run can name that lies outside it."""


@dataclass
class PartitionAccount:
    """One partition of the log against the tables. All counts are of records but for `waiting`."""

    log_id: str
    topic: str
    partition: int

    begin: int
    """The first offset that was looked at: the log's beginning, or later where told so."""

    end: int
    """The offset after the last one, when the ledger began."""

    stored_to: int
    """What the sink has committed: below it everything must be stored."""

    log_begin: int = 0
    """The log's own beginning: what is below is deleted by retention and is no gap."""

    records: int = 0
    """Records that the log holds in what was looked at; transaction markers are none."""

    stored: int = 0
    """Records with a row under their own offset."""

    replaced: int = 0
    """Records whose row was replaced by that of a repeat, as the table's identity wants it."""

    skipped: int = 0
    """Records without a row by rule: heartbeats and tombstones."""

    dead: int = 0
    """Records that were dead-lettered."""

    forgotten: int = 0
    """Records of traces that were erased on purpose."""

    waiting: int = 0
    """Offsets past the sink's commit: not stored yet, and no gap."""

    waiting_since_ms: int | None = None
    """The broker's time of the first record that waits; None if none does."""

    surplus: int = 0
    """Rows with offsets at which the log holds no such record (compacted away, or a wrong row)."""

    missing: Missing = field(default_factory=Missing)
    """Offsets of records that must be somewhere and are nowhere."""


@dataclass(frozen=True)
class RunGap:
    """One run of which something is not stored."""

    trace_id: str
    run_id: str
    component: str
    environment: str
    began_at: datetime
    expected: int
    """Events that the run must have; while its last event is not stored, those known of."""

    stored: int
    """Of these, the ones stored."""

    ended: bool
    """Whether its last event is stored."""

    seqs: Missing
    """The seqs that are not."""


@dataclass(frozen=True)
class NameGap:
    """Something that a run names and that is not stored."""

    trace_id: str
    run_id: str
    """The run that names it."""

    what: Named
    named: str
    """A run id, an offer's id or a body's hash."""


@dataclass
class RunTotals:
    """All runs that were looked at, in counts."""

    runs: int = 0
    open: int = 0
    """Runs whose last event is not stored: still going on, killed, or cut off."""

    expected: int = 0
    """Events that these runs must have, by their last events or the highest seq seen."""

    stored: int = 0
    """Of these, the ones stored, each once."""

    missing: int = 0
    """Events that are not stored, of runs that are old enough to judge."""

    runs_missing: int = 0
    """Runs that others name as child or parent, and of which nothing is stored."""

    bodies_missing: int = 0
    """Bodies that are named and not stored, once for each run that names them."""

    unclaimed: int = 0
    """Offers that no stored run claims: nobody may have taken them, so they are no gap."""

    young: int = 0
    """Findings not counted, because the rest may still be on its way."""

    @property
    def whole(self) -> bool:
        """Whether nothing is missing."""
        return not (self.missing or self.runs_missing or self.bodies_missing)
