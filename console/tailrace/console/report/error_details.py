"""How a failure is told: type and message, then the last lines of the stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.console.report.outline import Detail
from tailrace.schemas.events import RunCancelled, RunFailed, StepCancelled, StepFailed

if TYPE_CHECKING:
    from tailrace.console.report.tree import RunEnd, StepEnd

STACK_LINES = 6
"""Lines of a stack that are told unless all are; the last ones, for they name the place."""


def error_details(end: RunEnd | StepEnd | None, *, full: bool) -> list[Detail]:
    """Return the error of an end that has one."""
    if not isinstance(end, RunFailed | RunCancelled | StepFailed | StepCancelled):
        return []
    if not end.error_type:
        return []
    message = f"{end.error_type}: {end.error_message}" if end.error_message else end.error_type
    details = [Detail("error", message, "red", 4)]
    stack = end.error_stack.strip("\n")
    frames, _, last = stack.rpartition("\n")
    if frames and message.endswith(last):
        stack = frames  # a traceback ends with the error that has just been told
    if stack:
        kept = stack if full else "\n".join(stack.rsplit("\n", STACK_LINES)[-STACK_LINES:])
        details.append(Detail("stack", kept, "dim red", STACK_LINES * 2))
    return details
