"""A step was cancelled from outside: one finished row."""

from typing import Literal

from tailrace.schemas.events.parts import EndedFields, ErrorFields, ModelUseFields, StepFields


class StepCancelled(EndedFields, StepFields, ModelUseFields, ErrorFields):
    """A step that was cancelled; `output` is what it yielded until then."""

    kind: Literal["step_cancelled"] = "step_cancelled"
    """What the event says: one of the kinds in tailrace.schemas.events."""
