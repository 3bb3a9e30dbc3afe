"""The record `pointer_moved`, as it lies on the log."""

from typing import ClassVar

from pydantic import AwareDatetime, Field

from tailrace.schemas.records.base import Record


class PointerMoved(Record):
    """A pointer was asked to move: new runs of a component in an environment take these.

    Holds only if `decided_on` is the pointer's revision when it is read, and its move id is new.
    """

    schema_name: ClassVar[str] = "pointer_moved"

    move_id: str
    """Identity of the move; a repetition on the log is ignored."""

    component: str
    """The component whose pointer moves; the record's key."""

    environment: str
    """The environment whose pointer moves."""

    weights: dict[str, int] = Field(default_factory=dict[str, int])
    """Weight of each deployment in parts of ten thousand, together 10000."""

    decided_on: int = -1
    """The pointer's revision when this was decided: offset of its last accepted move, -1 before the
    first."""

    salt: str = ""
    """Salt of the rendezvous hashing: the same for all moves of one rollout, so that it stays
    sticky."""

    intent: str = ""
    """What the move is: promote, canary, abort or rollback."""

    rolled_back: tuple[str, ...] = ()
    """Deployments that this move rolls back; they return only by a person."""

    actor: str
    """The person or automaton that moves it."""

    actor_kind: str
    """What the actor is: person or automaton."""

    reason: str = ""
    """Why, in a sentence for people."""

    verdict: str = ""
    """The verdict that an automatic move rests on; empty when a person decided."""

    ts: AwareDatetime
    """When it was decided, by the actor's clock, microseconds since the epoch, UTC."""
