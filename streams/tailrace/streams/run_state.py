"""What is known of one run from its events on `runs`: the smallest unit of state.

A pure fold: events of a run in any order, any of them any number of times, give the same state but
for its places in the log. So a redelivery changes nothing, and no event has to be waited for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_ERROR_CHARACTERS = 2_000
"""An error's message is kept up to this length; the event itself holds all of it."""

OUTCOMES = {"run_completed": "ok", "run_failed": "failed", "run_cancelled": "cancelled"}
"""The outcome that each kind of last event tells."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record lies in its partition, and when the broker took it."""

    offset: int
    ts_ms: int
    """Broker time, milliseconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Route:
    """What a root run tells of its whole execution, by the names of the events' fields."""

    environment: str
    deployment: str
    code_digest: str
    control_offset: int
    routing_key: str
    tenant: str
    session: str
    tags: tuple[str, ...]
    replay_of: str
    retry_of: str
    attempt: int


@dataclass(frozen=True, slots=True)
class RunEnd:
    """What a run's last event tells."""

    outcome: str
    ts_us: int
    """By the producer's clock, microseconds since the epoch."""

    broker_ms: int
    """When the broker took it: offers may be claimed for a while from then on."""

    duration_us: int | None
    last_seq: int
    children: tuple[str, ...]
    offers: tuple[str, ...]
    not_replayable: str
    steps: int
    errors: int
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    cost_usd: float | None
    error_type: str
    error_message: str


@dataclass(frozen=True, slots=True)
class RunState:
    """One run as far as it is known."""

    offset: int
    """Of the newest record that told something new."""

    last_ms: int
    """Broker time of the newest sign of life."""

    first_offset: int
    """Of the first record."""

    begun_ms: int
    """Broker time of the first journal event; 0 while only heartbeats were seen."""

    component: str
    code_mismatch: bool
    offer: str
    """The offer that the run claims; empty when none."""

    started_us: int | None
    """By the producer's clock, microseconds since the epoch."""

    last_step: str
    """Key of the innermost step that was open at the newest heartbeat; empty when none was told."""

    end: RunEnd | None
    route: Route | None
    """Of a root run, once a journal event of it was seen."""


def fold_event(state: RunState | None, event: Mapping[str, Any], place: Place) -> RunState:
    """Return the run's state after a journal event; the same object if it told nothing new."""
    kind = str(event["kind"])
    if state is None or not state.begun_ms:
        state = _begun(state, event, place)
    changes: dict[str, Any] = {}
    if state.started_us is None:
        started_us = event["started_at"]
        if started_us is None and kind == "run_started":
            started_us = event["ts"]
        if started_us is not None:
            changes["started_us"] = _micros(started_us)
    if state.end is None and kind in OUTCOMES:
        changes["end"] = _end(event, place)
    if not changes and state.end is not None:
        return state
    return replace(state, **changes, **_moved(state, place))


def fold_heartbeat(state: RunState | None, beat: Mapping[str, Any], place: Place) -> RunState:
    """Return the run's state after a heartbeat; one that comes after the run's end tells nothing.

    A sign of life is never older than another of the same run that lies before it in the log.
    """
    keys = beat["open_step_keys"]
    step = str(keys[-1]) if keys else ""
    if state is None:
        return RunState(
            offset=place.offset,
            last_ms=place.ts_ms,
            first_offset=place.offset,
            begun_ms=0,
            component=str(beat["component"]),
            code_mismatch=False,
            offer="",
            started_us=None,
            last_step=step,
            end=None,
            route=None,
        )
    if state.end is not None or place.offset <= state.offset:
        return state
    return replace(state, last_step=step, **_moved(state, place))


def _begun(state: RunState | None, event: Mapping[str, Any], place: Place) -> RunState:
    is_root = event["run_id"] == event["root_run_id"]
    before = place.offset if state is None else state.first_offset
    return RunState(
        offset=place.offset,
        last_ms=place.ts_ms if state is None else max(place.ts_ms, state.last_ms),
        first_offset=min(place.offset, before),
        begun_ms=place.ts_ms,
        component=str(event["component"]),
        code_mismatch=bool(event["code_mismatch"]),
        offer=str(event["offer"]),
        started_us=None,
        last_step="" if state is None else state.last_step,
        end=None,
        route=_route(event) if is_root else None,
    )


def _moved(state: RunState, place: Place) -> dict[str, int]:
    return {
        "offset": max(place.offset, state.offset),
        "last_ms": max(place.ts_ms, state.last_ms),
        "first_offset": min(place.offset, state.first_offset),
    }


def _route(event: Mapping[str, Any]) -> Route:
    told: dict[str, Any] = {name: event[name] for name in Route.__slots__}
    told["tags"] = tuple(told["tags"])
    return Route(**told)


def _end(event: Mapping[str, Any], place: Place) -> RunEnd:
    kind = str(event["kind"])
    return RunEnd(
        outcome=OUTCOMES[kind],
        ts_us=_micros(event["ts"]),
        broker_ms=place.ts_ms,
        duration_us=event["duration_us"],
        last_seq=int(event["last_seq"]),
        children=tuple(event["children"]),
        offers=tuple(event["offers"]),
        not_replayable=str(event["not_replayable"]),
        steps=event["run_steps"] or 0,
        errors=event["run_errors"] or 0,
        input_tokens=event["run_input_tokens"],
        output_tokens=event["run_output_tokens"],
        cached_tokens=event["run_cached_tokens"],
        cost_usd=event["run_cost_usd"],
        error_type=str(event["error_type"]),
        error_message=str(event["error_message"])[:MAX_ERROR_CHARACTERS],
    )


def _micros(value: Any) -> int:
    """Return a decoded time as microseconds: fastavro makes datetimes of them."""
    if isinstance(value, int):
        return value
    return round(value.timestamp() * 1_000_000)
