"""A step raised: one finished row."""

from typing import Literal

from tailrace.schemas.events.parts import EndedFields, ErrorFields, ModelUseFields, StepFields


class StepFailed(EndedFields, StepFields, ModelUseFields, ErrorFields):
    """A step that raised; `output` is what it yielded until then."""

    kind: Literal["step_failed"] = "step_failed"
    """What the event says: one of the kinds in tailrace.schemas.events."""
