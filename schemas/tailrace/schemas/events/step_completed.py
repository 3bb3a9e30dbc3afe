"""A step returned: one finished row."""

from typing import Literal

from tailrace.schemas.events.parts import EndedFields, ModelUseFields, StepFields


class StepCompleted(EndedFields, StepFields, ModelUseFields):
    """A step that returned, whole: what it was, what it was given, and what it gave back."""

    kind: Literal["step_completed"] = "step_completed"
    """What the event says: one of the kinds in tailrace.schemas.events."""
