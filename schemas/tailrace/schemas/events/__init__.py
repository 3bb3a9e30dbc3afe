"""Typed journal events, one kind a file: `flatten` to the wide record, `parse_event` back.

`JournalEvent`, the wide record, is what travels and what ClickHouse stores; these are what Python
code reads and writes. A heartbeat is no event: it has no seq (see `tailrace.schemas.records`).
"""

from __future__ import annotations

from tailrace.schemas.events.check import check
from tailrace.schemas.events.parse import (
    KINDS,
    Event,
    EventError,
    UnknownKindError,
    parse_event,
)
from tailrace.schemas.events.run_cancelled import RunCancelled
from tailrace.schemas.events.run_completed import RunCompleted
from tailrace.schemas.events.run_failed import RunFailed
from tailrace.schemas.events.run_fields import RunFields
from tailrace.schemas.events.run_started import RunStarted
from tailrace.schemas.events.step_cancelled import StepCancelled
from tailrace.schemas.events.step_completed import StepCompleted
from tailrace.schemas.events.step_failed import StepFailed
from tailrace.schemas.events.step_started import StepStarted

__all__ = [
    "KINDS",
    "Event",
    "EventError",
    "RunCancelled",
    "RunCompleted",
    "RunFailed",
    "RunFields",
    "RunStarted",
    "StepCancelled",
    "StepCompleted",
    "StepFailed",
    "StepStarted",
    "UnknownKindError",
    "check",
    "parse_event",
]
