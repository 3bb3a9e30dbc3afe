"""Pointers: what the control topic says, folded. Pure; the order of the topic is the only input.

A move counts only if it was decided on the pointer's revision and its id is new: so every reader
agrees, whoever wrote at the same time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

NEVER = -1
"""The revision of a pointer that was never moved."""


@dataclass(slots=True)
class Pointer:
    """One environment's pointer of one component."""

    revision: int = NEVER
    """Offset of its last accepted move."""

    weights: dict[str, int] = field(default_factory=dict[str, int])
    """Weight of each deployment in parts of ten thousand."""

    frozen: bool = False
    """Whether it ignores moves until it is unfrozen, except a person's rollback."""


class Control:
    """The state that the control topic has at some offset."""

    def __init__(self) -> None:
        self.offset = NEVER
        """Of the last record applied."""

        self.registered: set[tuple[str, str]] = set()
        """Component and deployment of every registration."""

        self._pointers: dict[tuple[str, str], Pointer] = {}
        self._moves: set[str] = set()

    def pointer(self, environment: str, component: str) -> Pointer:
        """Return a pointer; one that was never moved when the topic names none."""
        return self._pointers.setdefault((environment, component), Pointer())

    def apply(self, offset: int, name: str, record: Mapping[str, Any]) -> None:
        """Take in the next record of the topic.

        Args:
            offset: its offset.
            name: the record's name, such as `pointer_moved`; others than control's are ignored.
            record: the decoded record.
        """
        self.offset = offset
        if name == "deployment_registered":
            self.registered.add((record["component"], record["deployment"]))
        elif name == "pointer_moved":
            self._move(offset, record)
        elif name in {"pointer_frozen", "pointer_unfrozen"}:
            pointer = self.pointer(record["environment"], record["component"])
            pointer.frozen = name == "pointer_frozen"

    def _move(self, offset: int, record: Mapping[str, Any]) -> None:
        pointer = self.pointer(record["environment"], record["component"])
        is_new = record["move_id"] not in self._moves
        self._moves.add(record["move_id"])
        by_person = record["intent"] == "rollback" and record["actor_kind"] == "person"
        if (
            is_new
            and record["decided_on"] == pointer.revision
            and (by_person or not pointer.frozen)
        ):
            pointer.revision = offset
            pointer.weights = dict(record["weights"])
