"""One run that is made of spans: its constant fields, its totals, its events. No I/O, no clock."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tailrace.producers.otel.options import NOT_REPLAYABLE
from tailrace.producers.otel.outcome import outcome
from tailrace.producers.otel.reading import Reading, read
from tailrace.producers.otel.role import AGENT, role_of
from tailrace.schemas.events import (
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunFields,
    RunStarted,
    StepCancelled,
    StepCompleted,
    StepFailed,
)

if TYPE_CHECKING:
    from tailrace.producers.content.usage import Usage
    from tailrace.producers.otel.setting import Setting
    from tailrace.producers.otel.span import SpanData
    from tailrace.schemas.events import Event
    from tailrace.schemas.payloads import Externalized

_RUN_ENDS = {"completed": RunCompleted, "failed": RunFailed, "cancelled": RunCancelled}
_STEP_ENDS = {"completed": StepCompleted, "failed": StepFailed, "cancelled": StepCancelled}
_MAX_NS = 250_000_000_000 * 10**9  # the year 9892
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event, and the bodies that must be stored with it."""

    event: Event
    payloads: tuple[Externalized, ...] = ()


@dataclass(frozen=True, slots=True)
class StepPlace:
    """Where a step stands in its run."""

    key: str
    name: str
    parent_step_id: str
    in_model_call: bool
    """Whether a model call around it counts the same tokens."""


def run_id_of(trace_id: str, span_id: str) -> str:
    """Return the id of the run that a span is the root of: the same wherever it is asked for."""
    text = f"tailrace.otel.run:{trace_id}:{span_id}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(slots=True)
class RunState:
    """A run while its spans come in."""

    run: RunFields
    setting: Setting
    replayable: bool = False
    seq: int = 0
    children: list[str] = field(default_factory=list[str])
    steps: int = 0
    errors: int = 0
    used: dict[str, Any] = field(default_factory=dict[str, Any])
    ended: SpanData | None = None
    """The root span once it has ended."""

    last_end_ns: int = 0
    finished: bool = False
    gaps: dict[str, int] = field(default_factory=dict[str, int])
    """What is known to be missing, and how often."""

    by_chance: str = ""
    """A label of steps that ran at once, so that their keys are chance."""

    def start(self, span: SpanData) -> Outgoing:
        """Return the run's first event: what the span told at its start, and nothing of its end."""
        found = self._read(replace(span, end_ns=0), AGENT)
        return self._number(
            RunStarted(
                run=self.run,
                seq=self.seq,
                ts=_time(span.start_ns),
                name=self.run.component,
                started_at=_time(span.start_ns),
                attributes=self._about(span),
                **found.given,
            ),
            found,
        )

    def step(self, span: SpanData, place: StepPlace) -> Outgoing:
        """Return the event of a step that has ended."""
        role = role_of(span.attributes)
        how = outcome(span)
        found = self._read(span, role.kind)
        self._count(how, None if place.in_model_call else found.use)
        self.last_end_ns = max(self.last_end_ns, span.end_ns)
        attributes = found.attributes or {}
        if span.name != place.name:
            attributes["otel.name"] = self.setting.shown("otel.name", span.name)
        event = _STEP_ENDS[how](
            run=self.run,
            seq=self.seq,
            ts=_time(span.end_ns),
            step_id=span.span_id,
            parent_step_id=place.parent_step_id,
            step_key=place.key,
            name=place.name,
            step_kind=role.kind,
            effect=role.effect,
            started_at=_time(span.start_ns),
            duration_us=_took_us(span),
            attributes=attributes,
            **found.given,
            **found.ended,
            **({} if found.use is None else found.use.fields(self.setting.redaction)),
        )
        return self._number(event, found)

    def finish(self) -> Outgoing:
        """Return the run's last event; its root span has ended."""
        span = self.ended
        assert span is not None, "a run ends after its root span"
        self.finished, self.ended = True, None
        found = self._read(span, AGENT)
        attributes = (found.attributes or {}) | self._about(span)
        if self.gaps:
            attributes["otel.gaps"] = "; ".join(f"{n} {what}" for what, n in self.gaps.items())
        event = _RUN_ENDS[outcome(span)](
            run=self.run,
            seq=self.seq,
            ts=_time(max(span.end_ns, self.last_end_ns)),
            name=self.run.component,
            started_at=_time(span.start_ns),
            duration_us=_took_us(span),
            last_seq=self.seq,
            children=tuple(self.children),
            not_replayable=self._not_replayable(),
            run_steps=self.steps,
            run_errors=self.errors,
            attributes=attributes,
            **found.given,
            **found.ended,
            **{f"run_{name}": value for name, value in self.used.items()},
        )
        return self._number(event, found)

    def gap(self, what: str, count: int = 1) -> None:
        """Note that something of the run is missing."""
        self.gaps[what] = self.gaps.get(what, 0) + count

    def _not_replayable(self) -> str:
        reasons = [] if self.replayable else [NOT_REPLAYABLE]
        reasons += [f"{count} {what}" for what, count in self.gaps.items()]
        if self.by_chance and self.replayable:
            reasons.append(f"two steps {self.by_chance} ran at once, so that their keys are chance")
        return "; ".join(reasons)

    def _read(self, span: SpanData, kind: str) -> Reading:
        found = read(span, kind, self.setting)
        if found.defect:
            self.gap("spans that could not be read")
        if span.dropped and span.end_ns:
            self.gap("attributes or events dropped by the SDK's limits", span.dropped)
        return found

    def _number(self, event: Event, found: Reading) -> Outgoing:
        """Count an event that could be made: only then its number is used up."""
        self.seq += 1
        return Outgoing(event, found.payloads)

    def _count(self, how: str, use: Usage | None) -> None:
        self.steps += 1
        self.errors += how != "completed"
        for name in ("input_tokens", "output_tokens", "cached_tokens", "cost_usd"):
            value = getattr(use, name, None)
            if value is not None:
                self.used[name] = self.used.get(name, 0) + value

    def _about(self, span: SpanData) -> dict[str, str]:
        """Return what a reader needs to find the run's spans elsewhere."""
        about = {
            "otel.span_id": span.span_id,
            "otel.remote_parent": span.parent_id if span.parent_is_remote else "",
            "otel.name": span.name if span.name != self.run.component else "",
            "otel.service": span.service,
            "otel.trace_flags": f"{span.trace_flags:02x}",
            "otel.trace_state": span.trace_state,
        }
        return {key: self.setting.shown(key, value) for key, value in about.items() if value}


def _took_us(span: SpanData) -> int:
    return max(0, (span.end_ns - span.start_ns) // 1000)


def _time(time_ns: int) -> datetime:
    """Return a time; that of the epoch for one that no calendar has."""
    return _EPOCH + timedelta(microseconds=time_ns // 1000 if 0 <= time_ns < _MAX_NS else 0)
