"""The record `health`, as it lies on the log."""

from typing import ClassVar

from pydantic import AwareDatetime, Field

from tailrace.schemas.records.base import Record


class Health(Record):
    """Rolling figures of one deployment of a component in an environment.

    One window of executions of a deployment; replays are left out.
    """

    schema_name: ClassVar[str] = "health"

    environment: str
    """The environment; first half of the record's key."""

    component: str
    """The component; second half of the record's key."""

    deployment: str = ""
    """The deployment that routed the executions; empty when none did."""

    window_start: AwareDatetime
    """Begin of the window in broker time, inclusive, microseconds since the epoch, UTC."""

    window_end: AwareDatetime
    """End of the window in broker time, exclusive, microseconds since the epoch, UTC."""

    revision: int = 0
    """Counts what changed the window's figures; the highest holds."""

    final: bool = False
    """Whether the window is over; what comes late still changes its figures."""

    started: int = 0
    """Executions that began in the window."""

    completed: int = 0
    """Executions first closed in the window that ended ok."""

    failed: int = 0
    """Executions first closed in the window that failed."""

    cancelled: int = 0
    """Executions first closed in the window that were cancelled."""

    abandoned: int = 0
    """Executions first closed in the window that showed no sign of life within the limit and did
    not end since."""

    p50_us: int | None = None
    """Median duration of the ended executions, in microseconds; null when none ended."""

    p95_us: int | None = None
    """95th percentile of the durations, in microseconds; null when none ended."""

    p99_us: int | None = None
    """99th percentile of the durations, in microseconds; null when none ended."""

    step_errors: int = 0
    """Steps that failed in the executions that ended."""

    input_tokens: int | None = None
    """Tokens read by models; null when none is known."""

    output_tokens: int | None = None
    """Tokens written by models; null when none is known."""

    cost_usd: float | None = None
    """Cost in US dollars; null when none is known."""

    source_log_id: str = ""
    """The cluster's id of the log that the figures come from."""

    source_partition: int = 0
    """The partition of the runs topic that the figures come from: one record a partition."""

    last_offset: int = -1
    """Offset of the last record counted; -1 when unknown."""

    code_mismatches: int = 0
    """Executions counted whose loaded code differed from their deployment's manifest."""

    durations: dict[str, int] = Field(default_factory=dict[str, int])
    """Root runs that ended by the bucket of their durations, so that windows can be merged: k holds
    microseconds up to (101/99)^k, within 1 %."""
