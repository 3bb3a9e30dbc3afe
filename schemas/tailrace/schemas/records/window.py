"""The record `window`, as it lies on the log."""

from typing import ClassVar

from pydantic import AwareDatetime

from tailrace.schemas.records.base import Record


class Window(Record):
    """The state of one open eval window, so that a new owner continues from there.

    A checkpoint of a window's fold; the newest record of a key holds.
    """

    schema_name: ClassVar[str] = "window"

    policy: str
    """The policy whose window it is."""

    environment: str
    """The environment."""

    component: str
    """The component."""

    deployment: str = ""
    """The deployment; empty when none routed the executions."""

    window: str
    """The window's name within the policy: its begin in broker time, ISO 8601 UTC."""

    opened_at: AwareDatetime
    """Begin of the window in broker time, inclusive, microseconds since the epoch, UTC."""

    closes_at: AwareDatetime | None = None
    """End of the window in broker time, exclusive, microseconds since the epoch, UTC; null when
    closed by count alone."""

    updated_at: AwareDatetime
    """Broker time of the last score counted, microseconds since the epoch, UTC."""

    revision: int = 0
    """Counts the checkpoints of this window, from 0."""

    executions: int = 0
    """Executions counted, each once."""

    state: str = ""
    """The fold's state as JSON; its form belongs to the policy's version."""

    state_version: int = 0
    """Version of the form of state."""

    log_id: str = ""
    """The cluster's id of the log that the scores lie in."""

    source_partition: int = 0
    """The partition of the scores topic that was counted."""

    last_offset: int = -1
    """Offset of the last score counted; a score at or below it is a redelivery."""
