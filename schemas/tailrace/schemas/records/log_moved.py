"""The record `log_moved`, as it lies on the log."""

from typing import ClassVar

from pydantic import AwareDatetime

from tailrace.schemas.records.base import Record


class LogMoved(Record):
    """The log moved to another cluster, with its topics, partitions and offsets.

    It is the same log, and lives there from here on. What `lineage` rests on.
    """

    schema_name: ClassVar[str] = "log_moved"

    old_cluster_id: str
    """The id of the cluster that the log lived on."""

    new_cluster_id: str
    """The id of the cluster that it lives on now; the record's key."""

    ts: AwareDatetime
    """When it moved, by the mover's clock, microseconds since the epoch, UTC."""

    actor: str = ""
    """Who moved it."""

    tailrace_version: str = ""
    """The Tailrace that moved it."""
