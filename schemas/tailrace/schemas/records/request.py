"""The record `request`, as it lies on the log."""

from typing import ClassVar

from pydantic import AwareDatetime

from tailrace.schemas.records.base import Record


class Request(Record):
    """An invocation dispatched to a worker whose loaded code matches the deployment.

    Work for exactly one deployment; delivered at least once, done once by request_id.
    """

    schema_name: ClassVar[str] = "request"

    request_id: str
    """Identity of the request; a redelivery is the same work."""

    key: str = ""
    """The caller's key: requests of one key are in one order; the record's key."""

    component: str
    """The component to run."""

    environment: str
    """The environment whose pointer routed it."""

    deployment: str
    """The deployment to run it on."""

    control_offset: int = -1
    """Offset on the control topic as of which it was routed; -1 when no control event did."""

    trace_id: str
    """The trace that the run will belong to."""

    root_run_id: str = ""
    """The root run of the execution that it continues; empty when it starts one."""

    parent_run_id: str = ""
    """The run that asked for it; empty when none did."""

    caller_step_id: str = ""
    """The step of that run that waits for it; empty when none does."""

    offer: str = ""
    """The offer that the run claims; empty when none was made."""

    routing_key: str = ""
    """Hash of the key that the route was chosen by; empty when none."""

    tenant: str = ""
    """The tenant on whose behalf it runs; empty when none."""

    session: str = ""
    """The session or conversation it belongs to; empty when none."""

    tags: tuple[str, ...] = ()
    """Free labels given by the caller, in the order given."""

    replay_of: str = ""
    """The root run to replay; empty when it is no replay."""

    retry_of: str = ""
    """The root run that this retries; empty when it is no retry."""

    attempt: int = 0
    """Number of the attempt at the same task, from 0."""

    input: str | None = None
    """The input as JSON, large values replaced by references to bodies; null when there is none."""

    bodies: tuple[str, ...] = ()
    """SHA-256 of every body that the input names."""

    expires_at: AwareDatetime | None = None
    """When nobody wants the result any more, microseconds since the epoch, UTC; null when
    always."""

    ts: AwareDatetime
    """When it was dispatched, microseconds since the epoch, UTC."""
