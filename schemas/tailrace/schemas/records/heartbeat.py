"""The record `heartbeat`, as it lies on the log."""

from typing import ClassVar

from pydantic import AwareDatetime

from tailrace.schemas.records.base import Record


class Heartbeat(Record):
    """A sign of life of a run: a record of its own, since it has no place in the run's sequence.

    Says that a run still runs and what it is at; losing one loses nothing.
    """

    schema_name: ClassVar[str] = "heartbeat"

    trace_id: str
    """The trace of the run; the record's key."""

    run_id: str
    """The run that lives."""

    root_run_id: str
    """The root run of the execution; equal to run_id in a root run."""

    parent_run_id: str = ""
    """The run that started this one; empty in a root run."""

    component: str
    """The component that runs."""

    deployment: str = ""
    """The deployment that routed the run; empty when none did."""

    environment: str = ""
    """The environment whose pointer routed the run."""

    ts: AwareDatetime
    """When the heartbeat was made, by the producer's clock, microseconds since the epoch, UTC."""

    started_at: AwareDatetime | None = None
    """When the run began, microseconds since the epoch, UTC; null when not recorded."""

    interval_ms: int = 0
    """After how many milliseconds the next one is due; 0 when the producer promises none."""

    events: int = 0
    """How many events the run had made: its next event has this seq."""

    open_step_ids: tuple[str, ...] = ()
    """The steps that were open, outermost first."""

    open_step_keys: tuple[str, ...] = ()
    """The stable names of these steps, in the same order."""

    process: str = ""
    """Host and process id that the run lives in, such as web-3:4711; empty when not told."""
