"""A span in the tree of its execution: what the fold has to know of it while others refer to it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from tailrace.producers.tree import keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.producers.otel.run_state import RunState
    from tailrace.producers.otel.span import SpanData


class Node:
    """A span in the tree."""

    __slots__ = (
        "branch",
        "heads_run",
        "in_model_call",
        "is_late",
        "is_model",
        "key",
        "label",
        "name",
        "parent",
        "peek",
        "run",
        "span_id",
        "unplaced",
    )

    def __init__(self, span_id: str, parent: Node | None, peek: Callable[[], SpanData]) -> None:
        self.span_id = span_id
        self.parent = parent
        self.peek: Callable[[], SpanData] | None = peek
        """Reads the span as it is; None once it has ended, so that it is not kept."""

        self.unplaced: deque[Node] = deque()
        """Children whose role was not read yet, in the order in which they started."""

        self.run: RunState | None = None
        """The run that it belongs to, once it is placed."""

        self.branch = keys.Branch()
        self.heads_run = False
        self.is_model = False
        """Whether it is a model call, so that those within it count the same tokens again."""

        self.in_model_call = False
        self.is_late = False
        self.key = self.label = self.name = ""

    def span(self) -> SpanData:
        """Return the span as it is now; it has not ended."""
        assert self.peek is not None, "a span is read until it has ended"
        return self.peek()

    @property
    def step_id(self) -> str:
        """The step that a span below this one is called in; empty at the top of a run."""
        return "" if self.heads_run else self.span_id
