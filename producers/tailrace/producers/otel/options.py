"""What can be chosen about recording spans."""

from __future__ import annotations

from dataclasses import dataclass

NOT_REPLAYABLE = "recorded through OpenTelemetry"


@dataclass(frozen=True, slots=True)
class SpanOptions:
    """How spans become runs; the defaults suit an agent that changes nothing but its exporter."""

    component: str = ""
    """The component of root runs; the agent's, workflow's or root span's name when empty."""

    replayable_as: str = ""
    """A component whose step keys the spans match: root runs take its name and can be replayed."""

    environment: str = ""
    """The environment that runs belong to; the client's when empty."""

    all_traces: bool = False
    """Whether to record traces in which no convention for agents or models speaks, too."""

    announce_after_s: float = 1.0
    """A run is announced when its first child starts, and at the latest after this time, so that
    what an agent says of itself just after starting its span is in the announcement."""

    open_spans_wait_s: float = 30.0
    """How long a run whose root span has ended waits for spans that it has started."""

    linger_s: float = 1.0
    """How long the exporter waits for late spans once a trace's root span has arrived."""

    max_age_s: float = 300.0
    """How long the exporter waits for a trace's root span; then the trace is written without it.
    The processor forgets an execution of which nothing was heard for twelve times as long."""

    max_spans: int = 50_000
    """Spans that the exporter keeps waiting, and that the processor remembers of one execution."""

    max_bytes: int = 64 * 1024 * 1024
    """About how much memory the exporter's waiting spans may take."""


@dataclass(slots=True)
class SpanStats:
    """What did not go as it should, counted since the exporter or processor was made."""

    late: int = 0
    """Spans that came after their run's last event was written, and are in no run."""

    ignored_traces: int = 0
    """Traces without any agent or model in them, left out; see `SpanOptions.all_traces`."""

    incomplete_runs: int = 0
    """Runs that were written with spans known to be missing, and say so."""

    forced_out: int = 0
    """Traces written before their root span came: the exporter's buffer was full, they were too
    old, or the exporter was shut down."""

    abandoned: int = 0
    """Executions forgotten without a last event: nothing was heard of them for too long, or their
    root span was still open at the end."""

    unsampled: int = 0
    """Spans that are recorded but not sampled, and so not exported."""

    dropped: int = 0
    """Spans left out because too many were waiting or open, or after the end of recording."""

    duplicates: int = 0
    """Spans that came twice; the first is taken."""

    unacknowledged: int = 0
    """Runs that Kafka had not acknowledged when a flush or the shutdown ended."""
