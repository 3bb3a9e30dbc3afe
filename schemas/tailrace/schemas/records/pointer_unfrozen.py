"""The record `pointer_unfrozen`, as it lies on the log."""

from typing import ClassVar

from pydantic import AwareDatetime

from tailrace.schemas.records.base import Record


class PointerUnfrozen(Record):
    """A frozen pointer takes moves again.

    Ends a freeze of one pointer; of an unfrozen one it changes nothing.
    """

    schema_name: ClassVar[str] = "pointer_unfrozen"

    unfreeze_id: str
    """Identity of the unfreezing; a repetition on the log is ignored."""

    component: str
    """The component whose pointer is unfrozen; the record's key."""

    environment: str
    """The environment whose pointer is unfrozen."""

    actor: str
    """The person or automaton that unfreezes it."""

    actor_kind: str
    """What the actor is: person or automaton."""

    reason: str = ""
    """Why, in a sentence for people."""

    ts: AwareDatetime
    """When it was decided, by the actor's clock, microseconds since the epoch, UTC."""
