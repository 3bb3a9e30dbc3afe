"""The record `snapshot_row`, as it lies on the log."""

from typing import ClassVar

from pydantic import AwareDatetime

from tailrace.schemas.records.base import Record


class SnapshotRow(Record):
    """A part of a snapshot: a chunk of a pinned execution, or the seal that ends it.

    Rows of a snapshot are readable once its seal is on the log, and checked against its hash.
    """

    schema_name: ClassVar[str] = "snapshot_row"

    snapshot: str
    """The snapshot's id; first part of the record's key."""

    kind: str
    """What the record is: row or seal."""

    trace_id: str = ""
    """The trace pinned; empty in the seal."""

    root_run_id: str = ""
    """The root run of the execution pinned; empty in the seal."""

    revision: int = 0
    """The execution's revision when it was pinned."""

    part: int = 0
    """Number of this chunk of the row, from 0."""

    parts: int = 1
    """How many chunks the row has."""

    position: int = 0
    """Place of the row in the snapshot, from 0."""

    content_hash: str = ""
    """SHA-256 of the row's whole content, all parts joined; of the seal: of all rows' hashes in
    order."""

    content: bytes | None = None
    """This chunk of the row's canonical JSON lines, UTF-8; null in the seal."""

    closed_at: AwareDatetime | None = None
    """Broker time at which the execution closed, microseconds since the epoch, UTC; null in the
    seal."""

    name: str = ""
    """The seal only: the name that a person gave the snapshot; empty when none."""

    rows: int = 0
    """The seal only: how many rows the snapshot has."""

    chosen_by: str = ""
    """The seal only: how the rows were chosen: random, filter or list."""

    selection: str = ""
    """The seal only: the choice itself as canonical JSON, with seed and bounds."""

    actor: str = ""
    """The seal only: who pinned it."""

    ts: AwareDatetime
    """When the record was made, microseconds since the epoch, UTC."""
