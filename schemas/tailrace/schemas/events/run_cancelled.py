"""A run was cancelled from outside: its last event."""

from typing import Literal

from tailrace.schemas.events.parts import EndedFields, ErrorFields, RunTotals


class RunCancelled(EndedFields, ErrorFields, RunTotals):
    """The last event of a run that was cancelled; the error fields say by what, if known."""

    kind: Literal["run_cancelled"] = "run_cancelled"
    """What the event says: one of the kinds in tailrace.schemas.events."""
