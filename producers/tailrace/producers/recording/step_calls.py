"""How a step's call is begun and ended, whatever kind of function it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.producers.process.guard import guarded, late
from tailrace.producers.recording.recorded_step import RecordedStep
from tailrace.producers.tree.forks import place_here

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.producers.recording.definition import StepDefinition
    from tailrace.producers.recording.generators import Items
    from tailrace.producers.tree.place import Place


def begin_step(
    definition: StepDefinition, place: Place, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> RecordedStep | None:
    """Take up a call of a step; None where it cannot be recorded.

    Raises:
        JournalFullError: where nothing more can be kept and the client is to refuse work then.
    """
    if place.recording.client.when_full == "raise":
        place.recording.client.require_room()
    try:
        recording = place.recording
        if recording.ended or not recording.client.is_open:
            found = place_here(place)
            if found is None:
                late(recording.client, definition.name)
                return None
            place, recording = found, found.recording
        begun = RecordedStep(definition, place, args, kwargs)
        if recording.client.step_started_after_s == 0:
            begun.announce(0, float("-inf"))
    except Exception as error:  # noqa: BLE001 - recording never breaks the agent
        guarded(place.recording.client, definition.name, error)
        return None
    return begun


def complete_step(begun: RecordedStep | None, result: Any, items: Items | None = None) -> None:
    """Record what a step returned, or yielded; nothing where it was not begun."""
    if begun is None:
        return
    try:
        begun.finish(result=result, items=items)
    except Exception as error:  # noqa: BLE001 - recording never breaks the agent
        guarded(begun.recording.client, begun.key, error)


def fail_step(
    begun: RecordedStep | None, failure: BaseException, items: Items | None = None
) -> None:
    """Record what a step raised; nothing where it was not begun."""
    if begun is None:
        return
    try:
        begun.finish(error=failure, items=items)
    except Exception as error:  # noqa: BLE001 - recording never breaks the agent
        guarded(begun.recording.client, begun.key, error)
