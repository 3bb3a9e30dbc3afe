"""The record `dead_letter`, as it lies on the log."""

from typing import ClassVar

from pydantic import AwareDatetime

from tailrace.schemas.records.base import Record


class DeadLetter(Record):
    """A record that could not be read or stored, kept whole with where it lies and why.

    Identified by its source coordinates and its reader: a repetition is the same dead letter.
    """

    schema_name: ClassVar[str] = "dead_letter"

    source_log_id: str = ""
    """The cluster's id of the log that the record lies in."""

    source_topic: str
    """The topic that the record lies in; the dead letter's key."""

    source_partition: int
    """The partition that the record lies in."""

    source_offset: int
    """The record's offset in that partition."""

    ts: AwareDatetime
    """When it was given up, microseconds since the epoch, UTC."""

    reader: str = ""
    """The consumer group that could not read it."""

    reason: str = ""
    """What is wrong with it, in a sentence."""

    key: bytes | None = None
    """The record's key, raw; null when it has none."""

    value: bytes | None = None
    """The record's value, raw and whole; null for a tombstone."""
