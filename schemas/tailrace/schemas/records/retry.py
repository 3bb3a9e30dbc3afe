"""The record `retry`, as it lies on the log."""

from typing import ClassVar

from pydantic import AwareDatetime

from tailrace.schemas.records.base import Record


class Retry(Record):
    """An execution or a row that waits: for its events to be stored, or for a provider.

    Parked work, looked at again once its time has come.
    """

    schema_name: ClassVar[str] = "retry"

    policy: str
    """The policy or experiment whose work waits; first half of the record's key."""

    trace_id: str
    """The trace that waits; second half of the record's key."""

    root_run_id: str
    """The root run; (trace_id, root_run_id) is the execution that waits."""

    revision: int = 0
    """The execution's revision."""

    waits_for: str
    """What it waits for: storage or provider."""

    not_before: AwareDatetime
    """When to look again, microseconds since the epoch, UTC."""

    give_up_at: AwareDatetime | None = None
    """When waiting ends and it is said so, microseconds since the epoch, UTC; null when never."""

    first_at: AwareDatetime
    """When it was first parked, microseconds since the epoch, UTC."""

    tries: int = 0
    """How often it has been tried."""

    reason: str = ""
    """What stood in the way last time, in a sentence."""

    payload: str = ""
    """What the policy needs to go on, as JSON."""

    source_topic: str = ""
    """The topic of the record that the work came from."""

    source_partition: int = 0
    """The partition of that record."""

    source_offset: int = -1
    """The offset of that record; -1 when unknown."""
