"""A run returned: its last event."""

from typing import Literal

from tailrace.schemas.events.parts import EndedFields, RunTotals


class RunCompleted(EndedFields, RunTotals):
    """The last event of a run whose component returned; `output` is what it returned."""

    kind: Literal["run_completed"] = "run_completed"
    """What the event says: one of the kinds in tailrace.schemas.events."""
