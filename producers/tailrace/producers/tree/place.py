"""Where in the tree of runs and steps this line of execution is: one context variable.

Threads begun through `contextvars.copy_context`, `asyncio.to_thread` and tasks inherit it; a task
of a recorded run gets a branch of its own (see `tasks`).
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tailrace.producers.recording.recorded_step import RecordedStep
    from tailrace.producers.recording.recording import Recording
    from tailrace.producers.run import Run
    from tailrace.producers.tree.keys import Branch


class Place:
    """A run, the step within it that is being executed (None: none), and the branch of its keys."""

    __slots__ = ("branch", "recording", "step")

    def __init__(self, recording: Recording, step: RecordedStep | None, branch: Branch) -> None:
        self.recording = recording
        self.step = step
        self.branch = branch


PLACE: ContextVar[Place | None] = ContextVar("tailrace_place", default=None)

UNRECORDED: ContextVar[Run | None] = ContextVar("tailrace_unrecorded", default=None)
"""The run of a component that is called without an open client: config, and nothing else."""
