"""From the stored events back to the recorded messages: the proof that an import loses nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tailrace.console.importing.errors import ImportFailedError
from tailrace.console.importing.journal import TRANSCRIPT
from tailrace.schemas.events import RunCompleted
from tailrace.schemas.payload_reading import resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tailrace.console.importing.trajectory import Message
    from tailrace.schemas.events import Event


def rebuild_messages(events: Iterable[Event], bodies: Mapping[str, str]) -> list[Message]:
    """Return the messages of an imported run, equal to those of the recording.

    Args:
        events: the run's events, in any order.
        bodies: the texts of at least the bodies that its last event builds on, by hash.

    Raises:
        ImportFailedError: if the run has no transcript, or a body of it is missing.
    """
    last = next((event for event in events if isinstance(event, RunCompleted)), None)
    if last is None or TRANSCRIPT not in last.attributes:
        raise ImportFailedError("the run was not imported from a recording, or has not ended")
    messages = resolve(last.attributes[TRANSCRIPT], bodies)["messages"]
    if not isinstance(messages, list):
        raise ImportFailedError(f"a body of run {last.run.run_id} is missing: import it again")
    return cast("list[Message]", messages)
