"""A run raised: its last event."""

from typing import Literal

from tailrace.schemas.events.parts import EndedFields, ErrorFields, RunTotals


class RunFailed(EndedFields, ErrorFields, RunTotals):
    """The last event of a run whose component raised; `output` is what it yielded until then."""

    kind: Literal["run_failed"] = "run_failed"
    """What the event says: one of the kinds in tailrace.schemas.events."""
