"""What no event can be, whatever happened: a pure check for tests, imports and doubtful producers.

Reading never asks for it: an odd event is stored as it came, and its oddity is found by a query.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tailrace.schemas.events.parts import EndedFields, RunTotals, StepFields
from tailrace.schemas.events.run_started import RunStarted

if TYPE_CHECKING:
    from tailrace.schemas.events.parse import Event

_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def check(event: Event) -> tuple[str, ...]:
    """Return a sentence for everything that is impossible about the event; empty when possible."""
    run = event.run
    found = [
        (not _TRACE_ID.fullmatch(run.trace_id), "trace_id is no W3C trace id"),
        (not run.run_id, "run_id is empty"),
        (not run.root_run_id, "root_run_id is empty"),
        (run.parent_run_id == run.run_id != "", "the run is its own parent"),
        (
            run.root_run_id == run.run_id and run.parent_run_id != "",
            "a root run names a parent",
        ),
        (run.attempt < 0, "attempt is negative"),
        (run.control_offset < -1, "control_offset is below -1"),
        (event.seq < 0, "seq is negative"),
        (
            isinstance(event, RunStarted) != (event.seq == 0),
            "seq 0 and run_started belong together",
        ),
        (
            not all(_SHA256.fullmatch(body) for body in event.bodies),
            "bodies names something that is no SHA-256",
        ),
        *_of_steps(event),
        *_of_ends(event),
    ]
    return tuple(sentence for wrong, sentence in found if wrong)


def _of_steps(event: Event) -> list[tuple[bool, str]]:
    if not isinstance(event, StepFields):
        return []
    return [
        (not event.step_id, "step_id is empty in a step event"),
        (event.parent_step_id == event.step_id != "", "the step is its own parent"),
        (event.effect not in {"", "pure", "read", "write"}, "effect is none of pure, read, write"),
    ]


def _of_ends(event: Event) -> list[tuple[bool, str]]:
    found: list[tuple[bool, str]] = []
    if isinstance(event, EndedFields):
        duration, first = event.duration_us, event.first_item_us
        found += [
            (duration is not None and duration < 0, "duration_us is negative"),
            (
                duration is not None and first is not None and first > duration,
                "the first item came after the end",
            ),
        ]
    if isinstance(event, RunTotals):
        found += [
            (event.last_seq != event.seq, "last_seq of a terminal event is not its own seq"),
            (event.run.run_id in event.children, "the run is its own child"),
        ]
    return found
