"""What an execution recorded before it ended or its process died, by where it stands. Pure.

Steps are found by their run and key, never by their order in time. A run is found by the step that
called it, its component, and its number among those that the step called.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Status = Literal["completed", "failed", "started"]
_TELLING: dict[Status, int] = {"failed": 0, "started": 1, "completed": 2}
"""Which of several attempts at a step tells what is to be known of it: the highest."""

RunPlace = tuple[str, str, int]
"""Of a child run within its parent: key of the calling step, component, ordinal among such."""


@dataclass(frozen=True, slots=True)
class PastStep:
    """One recorded step."""

    key: str
    status: Status
    """`started`: announced, and its end never came; `failed` includes cancelled."""

    effect: str
    input_digest: str
    definition_digest: str
    config_keys: tuple[str, ...]
    output: Any
    """What it returned, or the list of what it yielded, references resolved."""

    step_id: str
    is_leaf: bool
    """Whether no step or run was recorded within it."""


@dataclass(slots=True)
class PastRun:
    """One recorded run."""

    run_id: str = ""
    steps: dict[str, PastStep] = field(default_factory=dict[str, PastStep])
    children: dict[RunPlace, PastRun] = field(default_factory=dict[RunPlace, "PastRun"])

    def take(self, later: PastRun) -> None:
        """Add what a later attempt at the same run recorded.

        What was completed stays so, and what began in one attempt and never ended there stays
        unknown though it failed in another.
        """
        self.run_id = later.run_id
        for key, step in later.steps.items():
            before = self.steps.get(key)
            if before is None or _TELLING[before.status] <= _TELLING[step.status]:
                self.steps[key] = step
        for place, child in later.children.items():
            self.children.setdefault(place, PastRun()).take(child)


class Payloads(Protocol):
    """Gives what the inputs and outputs of events stand for."""

    def __call__(self, text: str | None) -> Any:
        """Return the value; references to what is not stored stay visible."""
        ...


def past_run(events: Iterable[Mapping[str, Any]], payload: Payloads, run_id: str) -> PastRun | None:
    """Return a run with all that it and its child runs recorded; None if nothing of it is there.

    Args:
        events: of one trace, flat, each identity once, in any order.
        payload: resolves references.
        run_id: which run.
    """
    by_run: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for event in events:
        by_run[event["run_id"]].append(event)
    for found in by_run.values():
        found.sort(key=lambda event: event["seq"])
    callers = {(found[0]["parent_run_id"], found[0]["caller_step_id"]) for found in by_run.values()}
    runs = {each: _run(each, found, payload, callers) for each, found in by_run.items()}
    _link(runs, by_run)
    return runs.get(run_id)


def _run(
    run_id: str, events: Sequence[Mapping[str, Any]], payload: Payloads,
    callers: set[tuple[str, str]],
) -> PastRun:  # fmt: skip
    steps = [event for event in events if event["kind"].startswith("step_")]
    within = {event["parent_step_id"] for event in steps}
    run = PastRun(run_id)
    for event in steps:
        key, kind = event["step_key"], event["kind"].removeprefix("step_")
        if kind == "started" and key in run.steps:
            continue
        step_id = event["step_id"]
        run.steps[key] = PastStep(
            key,
            "failed" if kind == "cancelled" else kind,
            event["effect"],
            event["input_digest"],
            event["definition_digest"],
            tuple(event["config_keys"]),
            payload(event["output"]) if kind == "completed" else None,
            step_id,
            is_leaf=step_id not in within and (run_id, step_id) not in callers,
        )
    return run


def _link(runs: Mapping[str, PastRun], by_run: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Put child runs into their parents, numbered as they began."""
    numbers: dict[tuple[str, str, str], int] = defaultdict(int)
    for run_id, events in sorted(by_run.items(), key=lambda each: (each[1][0]["ts"], each[0])):
        first = events[0]
        parent = runs.get(first["parent_run_id"])
        if parent is None or first["offer"]:
            continue  # the root, or another process's: that one has its own request
        keys = {step.step_id: step.key for step in parent.steps.values()}
        caller = keys.get(first["caller_step_id"], "")
        numbered = (parent.run_id, caller, first["component"])
        parent.children[caller, first["component"], numbers[numbered]] = runs[run_id]
        numbers[numbered] += 1
