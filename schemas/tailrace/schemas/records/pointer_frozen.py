"""The record `pointer_frozen`, as it lies on the log."""

from typing import ClassVar

from pydantic import AwareDatetime

from tailrace.schemas.records.base import Record


class PointerFrozen(Record):
    """A pointer was frozen: it ignores every move until it is unfrozen, except a person's rollback.

    Stops automatic and manual moves of one pointer.
    """

    schema_name: ClassVar[str] = "pointer_frozen"

    freeze_id: str
    """Identity of the freeze; a repetition on the log is ignored."""

    component: str
    """The component whose pointer is frozen; the record's key."""

    environment: str
    """The environment whose pointer is frozen."""

    actor: str
    """The person or automaton that freezes it."""

    actor_kind: str
    """What the actor is: person or automaton."""

    reason: str = ""
    """Why, in a sentence for people."""

    verdict: str = ""
    """The verdict that an automatic freeze rests on; empty when a person decided."""

    ts: AwareDatetime
    """When it was decided, by the actor's clock, microseconds since the epoch, UTC."""
