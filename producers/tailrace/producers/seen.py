"""Runs and steps as a test looks at them: values, not JSON, and the words of the decorators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.schemas.errors import TailraceError
from tailrace.schemas.payload_reading import resolve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.schemas.events import Event


class NothingRecordedError(TailraceError):
    """A test asks for a run, and none was recorded."""


class StepSeen:
    """A step that has ended."""

    def __init__(self, event: Event, bodies: Mapping[str, str]) -> None:
        self.event = event
        self._record = event.flatten()
        self._bodies = bodies

    def __repr__(self) -> str:
        return f"<step {self.key} {self.outcome}>"

    @property
    def name(self) -> str:
        """The step's name."""
        return str(self._record["name"])

    @property
    def kind(self) -> str:
        """Such as `llm` or `tool`."""
        return str(self._record["step_kind"])

    @property
    def key(self) -> str:
        """Its key within the run, such as `plan#0/search#2`."""
        return str(self._record["step_key"])

    @property
    def outcome(self) -> str:
        """`completed`, `failed` or `cancelled`."""
        return self.event.kind.removeprefix("step_")

    @property
    def input(self) -> Any:
        """The arguments by name, references resolved."""
        return resolve(self._record["input"], self._bodies)

    @property
    def output(self) -> Any:
        """What it returned; None where it failed."""
        return resolve(self._record["output"], self._bodies)

    @property
    def error(self) -> str:
        """Type and message of what it raised; empty where it raised nothing."""
        return _error(self._record)


class RunSeen:
    """A run, with what was recorded of it."""

    def __init__(self, events: Sequence[Event], bodies: Mapping[str, str]) -> None:
        self.events = sorted(events, key=lambda event: event.seq)
        self._bodies = bodies
        self._first = self.events[0].flatten()
        self._last = self.events[-1].flatten()

    def __repr__(self) -> str:
        return f"<run {self.component} {self.run_id} {self.outcome or 'open'}>"

    @property
    def run_id(self) -> str:
        """Its id."""
        return str(self._first["run_id"])

    @property
    def trace_id(self) -> str:
        """The id of its trace."""
        return str(self._first["trace_id"])

    @property
    def parent_run_id(self) -> str:
        """The run that started it; empty for a root run."""
        return str(self._first["parent_run_id"])

    @property
    def component(self) -> str:
        """The component's name."""
        return str(self._first["component"])

    @property
    def deployment(self) -> str:
        """The id of the deployment that it was routed to."""
        return str(self._first["deployment"])

    @property
    def outcome(self) -> str:
        """`completed`, `failed` or `cancelled`; empty while it is open."""
        ended = self._last["last_seq"] is not None
        return self.events[-1].kind.removeprefix("run_") if ended else ""

    @property
    def input(self) -> Any:
        """The arguments by name, references resolved."""
        return resolve(self._first["input"], self._bodies)

    @property
    def output(self) -> Any:
        """What it returned; None where it failed or is open."""
        return resolve(self._last["output"], self._bodies) if self.outcome else None

    @property
    def error(self) -> str:
        """Type and message of what it raised; empty where it raised nothing."""
        return _error(self._last) if self.outcome else ""

    @property
    def steps(self) -> list[StepSeen]:
        """The steps that have ended, in that order."""
        ended = [each for each in self.events if each.kind.startswith("step_")]
        return [StepSeen(each, self._bodies) for each in ended if each.kind != "step_started"]


def _error(record: Mapping[str, Any]) -> str:
    named = (str(record["error_type"]), str(record["error_message"]))
    return ": ".join(part for part in named if part)
