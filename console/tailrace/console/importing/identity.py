"""Who a recorded run is: ids derived from the file's own identities, never drawn.

The same line gives the same ids in every import, on every machine, under every file name: that is
what makes a second import add nothing. The hash of the messages is part of a run's identity, so a
corrected recording is another run of the same trace.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tailrace.console.importing.errors import LineRefusedError
from tailrace.console.importing.trajectory import MAX_NAME, member

if TYPE_CHECKING:
    from tailrace.console.importing.trajectory import Trajectory

MAX_ATTEMPT = 2**31 - 1
_ID_DIGITS = 32


@dataclass(frozen=True)
class Grouping:
    """What the person who imports says about the file."""

    dataset: str
    """The recording's name; ids are derived from it, so two datasets never share a trace."""

    component: str
    """The component that the runs are runs of."""

    trace_by: str | None = None
    """Field whose value is the task: lines with the same value are one trace. None: each line is a
    trace of its own."""

    attempt_by: str | None = None
    """Field whose value numbers the attempts at one task. None: every attempt is 0."""

    deployment_by: str | None = None
    """Field whose value names the agent that was recorded. None: no deployment is named."""


@dataclass(frozen=True)
class Identity:
    """The ids of one recorded run."""

    trace_id: str
    """32 hex digits; equal for all attempts at one task."""

    run_id: str
    """32 hex digits; a root run."""

    attempt: int
    """Number of the attempt, from 0."""

    deployment: str
    """The value that names the recorded agent; empty when none was asked for."""


def identify(trajectory: Trajectory, grouping: Grouping) -> Identity:
    """Return the ids of the run that a line becomes.

    Raises:
        LineRefusedError: if it lacks a field that the grouping names, or its value does not fit.
    """
    fields = trajectory.fields
    content = hashlib.sha256(_canonical(trajectory.messages)).hexdigest()
    own = fields.get("id")
    line = own if isinstance(own, str | int) and own != "" else content
    task = line if grouping.trace_by is None else _value(fields, grouping.trace_by)
    attempt = 0 if grouping.attempt_by is None else _attempt(fields, grouping.attempt_by)
    deployment = ""
    if grouping.deployment_by is not None:
        deployment = str(_value(fields, grouping.deployment_by))
    trace_id = derive("trace", grouping.dataset, grouping.component, task)
    run_id = derive("run", trace_id, attempt, deployment, line, content)
    return Identity(trace_id, run_id, attempt, deployment)


def derive(*parts: str | float) -> str:
    """Return 32 hex digits that only the parts decide: the start of a SHA-256."""
    return hashlib.sha256(_canonical(parts)).hexdigest()[:_ID_DIGITS]


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _value(fields: dict[str, Any], path: str) -> str | int | float:
    found: Any = fields
    for name in path.split("."):
        found = member(found, name)
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        raise LineRefusedError(f"there is no text or number in its field {path!r}")
    if len(str(found)) > MAX_NAME:
        raise LineRefusedError(f"its field {path!r} has {len(str(found)):,} characters")
    return found


def _attempt(fields: dict[str, Any], path: str) -> int:
    value = _value(fields, path)
    try:
        number = int(value)
    except (ValueError, OverflowError):
        number = -1
    if (number != value and str(number) != str(value)) or not 0 <= number <= MAX_ATTEMPT:
        raise LineRefusedError(f"its field {path!r} numbers no attempt: {str(value)[:40]!r}")
    return number
