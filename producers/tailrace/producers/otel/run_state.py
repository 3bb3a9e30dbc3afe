"""One run that is made of spans: its constant fields, its totals, its events. No I/O, no clock."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tailrace.producers.capture import input_digest, json_of
from tailrace.producers.otel.content import MESSAGES, given, returned
from tailrace.producers.otel.model_use import first_item_us, model_use
from tailrace.producers.otel.nested import items_of
from tailrace.producers.otel.options import NOT_REPLAYABLE
from tailrace.producers.otel.outcome import error_fields, outcome
from tailrace.producers.otel.remaining import remaining
from tailrace.producers.otel.role import AGENT, Role, role_of
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
from tailrace.schemas.payloads import Externalized, externalize_parts, outline

if TYPE_CHECKING:
    from tailrace.producers.otel.span import SpanData
    from tailrace.producers.usage import Usage
    from tailrace.schemas.events import Event
    from tailrace.schemas.payloads import ListChain

_RUN_ENDS = {"completed": RunCompleted, "failed": RunFailed, "cancelled": RunCancelled}
_STEP_ENDS = {"completed": StepCompleted, "failed": StepFailed, "cancelled": StepCancelled}
_Parts = dict[str, bytes | list[bytes]]
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
    chain: ListChain
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
        """Return the run's first event."""
        parts, payload = self._given(span, AGENT)
        event = RunStarted(
            run=self.run,
            seq=self._next(),
            ts=_time(span.start_ns),
            name=self.run.component,
            input_digest=input_digest(parts) if parts else "",
            started_at=_time(span.start_ns),
            input=payload.text if parts else None,
            bodies=payload.hashes,
            attributes=self._about(span),
        )
        return Outgoing(event, (payload,))

    def step(self, span: SpanData, place: StepPlace) -> Outgoing:
        """Return the event of a step that has ended."""
        role = _late(role_of(span.attributes))
        how = outcome(span)
        parts, payload = self._given(span, role.kind)
        answer, output = _returned(span, role.kind)
        use = model_use(span, role.kind)
        self._count(how, None if place.in_model_call else use)
        self.last_end_ns = max(self.last_end_ns, span.end_ns)
        if span.dropped:
            self.gap("attributes or events dropped by the SDK's limits", span.dropped)
        attributes = remaining(span)
        if span.name != place.name:
            attributes["otel.name"] = span.name
        event = _STEP_ENDS[how](
            run=self.run,
            seq=self._next(),
            ts=_time(span.end_ns),
            step_id=span.span_id,
            parent_step_id=place.parent_step_id,
            step_key=place.key,
            name=place.name,
            step_kind=role.kind,
            effect=role.effect,
            input_digest=input_digest(parts) if parts else "",
            started_at=_time(span.start_ns),
            duration_us=_took_us(span),
            first_item_us=first_item_us(span),
            input=payload.text if parts else None,
            output=answer,
            bodies=(*payload.hashes, *output.hashes),
            attributes=attributes,
            **({} if use is None else use.fields()),
            **error_fields(span),
        )
        return Outgoing(event, (payload, output))

    def finish(self) -> Outgoing:
        """Return the run's last event; its root span has ended."""
        span = self.ended
        assert span is not None, "a run ends after its root span"
        self.finished, self.ended = True, None
        parts, payload = self._given(span, AGENT)
        answer, output = _returned(span, AGENT)
        if span.dropped:
            self.gap("attributes or events dropped by the SDK's limits", span.dropped)
        attributes = remaining(span) | self._about(span)
        if self.gaps:
            attributes["otel.gaps"] = "; ".join(f"{n} {what}" for what, n in self.gaps.items())
        seq = self._next()
        event = _RUN_ENDS[outcome(span)](
            run=self.run,
            seq=seq,
            ts=_time(max(span.end_ns, self.last_end_ns)),
            name=self.run.component,
            input_digest=input_digest(parts) if parts else "",
            started_at=_time(span.start_ns),
            duration_us=_took_us(span),
            input=payload.text if parts else None,
            output=answer,
            bodies=(*payload.hashes, *output.hashes),
            last_seq=seq,
            children=tuple(self.children),
            not_replayable=self._not_replayable(),
            run_steps=self.steps,
            run_errors=self.errors,
            attributes=attributes,
            **{f"run_{name}": value for name, value in self.used.items()},
            **error_fields(span),
        )
        return Outgoing(event, (payload, output))

    def gap(self, what: str, count: int = 1) -> None:
        """Note that something of the run is missing."""
        self.gaps[what] = self.gaps.get(what, 0) + count

    def _not_replayable(self) -> str:
        reasons = [] if self.replayable else [NOT_REPLAYABLE]
        reasons += [f"{count} {what}" for what, count in self.gaps.items()]
        if self.by_chance and self.replayable:
            reasons.append(f"two steps {self.by_chance} ran at once, so that their keys are chance")
        return "; ".join(reasons)

    def _given(self, span: SpanData, kind: str) -> tuple[_Parts, Externalized]:
        parts: _Parts = {
            name: [json_of(item) for item in items_of(part)]
            if name == MESSAGES and isinstance(part, list)
            else json_of(part)
            for name, part in given(span, kind).items()
        }
        return parts, externalize_parts(parts, self.chain) if parts else _NOTHING

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
        return {key: value for key, value in about.items() if value}

    def _next(self) -> int:
        self.seq += 1
        return self.seq - 1


_NOTHING = Externalized(b"")


def _returned(span: SpanData, kind: str) -> tuple[str | None, Externalized]:
    value = returned(span, kind)
    if value is None:
        return None, _NOTHING
    output = Externalized(*outline(json_of(value)))
    return output.text, output


def _late(role: Role) -> Role:
    """Return the role of a span that is a step, whatever it came to say of itself."""
    return Role(role.kind, is_ai=role.is_ai)


def _took_us(span: SpanData) -> int:
    return max(0, (span.end_ns - span.start_ns) // 1000)


def _time(time_ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=time_ns // 1000)
