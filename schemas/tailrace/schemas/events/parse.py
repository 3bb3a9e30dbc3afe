"""From a wide record to the typed event of its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from tailrace.schemas.errors import TailraceError
from tailrace.schemas.events.run_cancelled import RunCancelled
from tailrace.schemas.events.run_completed import RunCompleted
from tailrace.schemas.events.run_failed import RunFailed
from tailrace.schemas.events.run_started import RunStarted
from tailrace.schemas.events.step_cancelled import StepCancelled
from tailrace.schemas.events.step_completed import StepCompleted
from tailrace.schemas.events.step_failed import StepFailed
from tailrace.schemas.events.step_started import StepStarted

if TYPE_CHECKING:
    from collections.abc import Mapping

Event = (
    RunStarted
    | RunCompleted
    | RunFailed
    | RunCancelled
    | StepStarted
    | StepCompleted
    | StepFailed
    | StepCancelled
)

KINDS: Mapping[str, type[Event]] = {
    "run_started": RunStarted,
    "run_completed": RunCompleted,
    "run_failed": RunFailed,
    "run_cancelled": RunCancelled,
    "step_started": StepStarted,
    "step_completed": StepCompleted,
    "step_failed": StepFailed,
    "step_cancelled": StepCancelled,
}
"""Every kind of event by its name in the wide record."""


class EventError(TailraceError):
    """A wide record is no event of its kind."""


class UnknownKindError(EventError):
    """The record is of a kind that this version does not know: a newer producer wrote it."""


def parse_event(record: Mapping[str, Any]) -> Event:
    """Return the typed event of a decoded wide record.

    Fields that the kind does not use are left out, and so are fields of newer schema versions.

    Raises:
        UnknownKindError: if this version knows no such kind.
        EventError: if a field is missing or of another type.
    """
    kind = KINDS.get(str(record.get("kind")))
    where = f"event (run {record.get('run_id')!r}, seq {record.get('seq')!r})"
    if kind is None:
        raise UnknownKindError(
            f"{where} is of the unknown kind {record.get('kind')!r}: a newer producer wrote it, "
            "upgrade this reader"
        )
    try:
        return kind.from_wide(record)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise EventError(f"{where} is no {record['kind']}: {field}: {first['msg']}") from error
