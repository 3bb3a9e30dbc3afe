"""A run began: always its first event, seq 0."""

from typing import Literal

from tailrace.schemas.events.parts import BeganFields


class RunStarted(BeganFields):
    """The first event of a run; `input` is what its component was called with."""

    kind: Literal["run_started"] = "run_started"
    """What the event says: one of the kinds in tailrace.schemas.events."""
