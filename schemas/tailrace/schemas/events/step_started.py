"""A step began: written only for a step that still runs after a while."""

from typing import Literal

from tailrace.schemas.events.parts import BeganFields, StepFields


class StepStarted(BeganFields, StepFields):
    """A step that runs; whatever it says is said again when the step ends."""

    kind: Literal["step_started"] = "step_started"
    """What the event says: one of the kinds in tailrace.schemas.events."""
