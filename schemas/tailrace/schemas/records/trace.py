"""The record `trace`, as it lies on the log."""

from typing import ClassVar

from pydantic import AwareDatetime

from tailrace.schemas.records.base import Record


class Trace(Record):
    """One closed execution as the stream processors assembled it, in one of its revisions.

    A closed execution; a later revision of (trace_id, root_run_id) replaces an earlier one.
    """

    schema_name: ClassVar[str] = "trace"

    trace_id: str
    """The trace; the record's key."""

    root_run_id: str
    """The root run; (trace_id, root_run_id) is the execution."""

    revision: int
    """Counts how often the execution was closed, from 0; what comes late closes it again, and the
    highest holds. Negative while no event of its root run was seen."""

    status: str
    """How it was closed: ended or abandoned."""

    outcome: str = ""
    """The root run's outcome: ok, failed or cancelled; empty when it was abandoned."""

    component: str
    """The root run's component."""

    environment: str = ""
    """The environment whose pointer routed the root run."""

    deployment: str = ""
    """The deployment that routed the root run; empty when none did."""

    code_digest: str = ""
    """Digest of the code that the root run really ran; empty when unknown."""

    code_mismatch: bool = False
    """Whether the loaded code of any run differed from its deployment's manifest."""

    control_offset: int = -1
    """Offset on the control topic as of which the root run was routed; -1 when none."""

    routing_key: str = ""
    """Hash of the key that the route was chosen by; empty when none."""

    tenant: str = ""
    """The tenant on whose behalf it worked; empty when none."""

    session: str = ""
    """The session or conversation it belongs to; empty when none."""

    tags: tuple[str, ...] = ()
    """The root run's free labels, in the order given."""

    replay_of: str = ""
    """The root run that it replays; empty when it is no replay."""

    retry_of: str = ""
    """The root run that it retries; empty when it is no retry."""

    attempt: int = 0
    """Number of the recorded attempt at the same task, from 0."""

    started_at: AwareDatetime | None = None
    """When the root run began, by the producer's clock, microseconds since the epoch, UTC; null
    when unknown."""

    ended_at: AwareDatetime | None = None
    """When its last run ended, by the producer's clock, microseconds since the epoch, UTC; null
    when it did not end."""

    duration_us: int | None = None
    """How long the root run took, in microseconds; null when it did not end."""

    closed_at: AwareDatetime
    """Broker time at which it was closed: of its last record, or when the limit passed that was
    waited for, microseconds since the epoch, UTC."""

    runs: tuple[str, ...] = ()
    """Every run of the execution, the root first, then in the order of their starts."""

    components: tuple[str, ...] = ()
    """The components of these runs, each once, in the order of first appearance."""

    open_runs: tuple[str, ...] = ()
    """The runs that never ended; empty unless abandoned."""

    unclaimed_offers: tuple[str, ...] = ()
    """Offers that nobody claimed within their limit."""

    expected_events: int | None = None
    """How many events its runs made together: complete when as many are stored; null when a run did
    not end."""

    steps: int = 0
    """Steps that its runs finished."""

    errors: int = 0
    """Steps of its runs that failed."""

    input_tokens: int | None = None
    """Tokens read by models in all runs; null when none is known."""

    output_tokens: int | None = None
    """Tokens written by models in all runs; null when none is known."""

    cached_tokens: int | None = None
    """Input tokens served from a provider's cache in all runs; null when none is known."""

    cost_usd: float | None = None
    """Cost of all runs in US dollars; null when none is known."""

    error_type: str = ""
    """Qualified name of the root run's exception; empty when it did not fail."""

    error_message: str = ""
    """Message of the root run's exception; empty when it did not fail."""

    not_replayable: str = ""
    """Why the execution cannot be replayed; empty when it can."""

    source_log_id: str = ""
    """The cluster's id of the log that it was assembled from."""

    source_topic: str = ""
    """The topic that it was assembled from."""

    source_partition: int = 0
    """The partition of that topic."""

    first_offset: int = -1
    """Offset of its first record there; -1 when unknown."""

    last_offset: int = -1
    """Offset of its newest record that was taken into account; -1 when unknown."""

    last_step: str = ""
    """Stable name of the innermost step that was open at the last sign of life; empty when it ended
    or none was told."""

    last_seen_at: AwareDatetime | None = None
    """Broker time of the last sign of life of any of its runs, microseconds since the epoch, UTC;
    null when unknown."""
