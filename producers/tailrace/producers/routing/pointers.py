"""Pointers: what the control topic says, folded. Pure; the order of the topic is the only input.

A move counts only if it was decided on the pointer's revision and its id is new: so every reader
agrees, whoever wrote at the same time, and the log itself is the compare-and-set.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from tailrace.producers.routing.rendezvous import Arms

if TYPE_CHECKING:
    from collections.abc import Mapping

NEVER = -1
"""The revision of a pointer that was never moved."""

WHOLE = 10_000
"""The weight of a deployment that takes all new runs; a pointer's weights add up to it."""

PERSON, AUTOMATON = "person", "automaton"
ROLLBACK = "rollback"


class Ruling(StrEnum):
    """What every reader makes of a move."""

    ACCEPTED = "accepted"
    REPEATED = "repeated"
    """Its id was on the log before: nothing happens again."""

    STALE = "stale"
    """It was decided on another revision than the pointer's."""

    FROZEN = "frozen"
    """The pointer is frozen, and it is no person's rollback."""

    ROLLED_BACK = "rolled back"
    """An automaton brings back what was rolled back, which only a person may."""

    MALFORMED = "malformed"
    """Its weights are none: not above 0, or not 10000 together."""


@dataclass(frozen=True)
class Standing:
    """What a pointer says from one accepted move until the next."""

    revision: int
    """Offset of the move."""

    weights: Mapping[str, int]
    """Weight of each deployment in parts of ten thousand."""

    move: Mapping[str, Any]
    """The record, for who, when and why."""

    @property
    def salt(self) -> str:
        """What its shares are drawn with."""
        return self.move["salt"]

    @cached_property
    def arms(self) -> Arms:
        """Its deployments, ready to choose from."""
        return Arms(self.weights, self.salt)

    @property
    def whole(self) -> str | None:
        """The one deployment that takes all new runs; None while several share them."""
        return next(iter(self.weights)) if len(self.weights) == 1 else None


@dataclass(slots=True)
class Pointer:
    """One environment's pointer of one component, with all that it ever said."""

    standings: list[Standing] = field(default_factory=list[Standing])
    """One for each accepted move, in their order."""

    frozen: Mapping[str, Any] | None = None
    """The record that froze it; None while it takes moves."""

    rolled_back: set[str] = field(default_factory=set[str])
    """The deployments that were rolled back and that no person brought back since."""

    @property
    def current(self) -> Standing | None:
        """What it says now; None before its first move."""
        return self.standings[-1] if self.standings else None

    @property
    def revision(self) -> int:
        """Offset of its last accepted move."""
        return self.standings[-1].revision if self.standings else NEVER

    @property
    def weights(self) -> Mapping[str, int]:
        """Weight of each deployment now."""
        return self.standings[-1].weights if self.standings else {}

    def as_of(self, offset: int) -> Standing | None:
        """Return what it said at an offset of the topic; None if nothing."""
        standings = self.standings
        if standings:
            # Looked at once: another thread may add one meanwhile.
            now = standings[-1]
            if now.revision <= offset:
                return now
        count = bisect_right(standings, offset, key=attrgetter("revision"))
        return standings[count - 1] if count else None

    def rollback_target(self) -> Standing | None:
        """Return the last state that stood at 100 % and whose deployment was not rolled back.

        It is another than the deployment that takes all runs now; None if there is none.
        """
        now = self.current
        for standing in reversed(self.standings):
            whole = standing.whole
            if whole is None or whole in self.rolled_back:
                continue
            if now is None or whole != now.whole:
                return standing
        return None

    def _rule(self, record: Mapping[str, Any]) -> Ruling:
        by_person = record["actor_kind"] == PERSON
        weights: Mapping[str, int] = record["weights"]
        if record["decided_on"] != self.revision:
            return Ruling.STALE
        if self.frozen is not None and not (by_person and record["intent"] == ROLLBACK):
            return Ruling.FROZEN
        if sum(weights.values()) != WHOLE or min(weights.values()) <= 0:
            return Ruling.MALFORMED
        if not by_person and not self.rolled_back.isdisjoint(weights):
            return Ruling.ROLLED_BACK
        return Ruling.ACCEPTED

    def take(self, offset: int, record: Mapping[str, Any]) -> Ruling:
        """Take in a move whose id is new."""
        ruling = self._rule(record)
        if ruling is Ruling.ACCEPTED:
            self.standings.append(Standing(offset, dict(record["weights"]), record))
            self.rolled_back.update(record["rolled_back"])
            self.rolled_back.difference_update(record["weights"])
        return ruling


class Control:
    """The state that the control topic has at some offset."""

    def __init__(self) -> None:
        self.offset = NEVER
        """Of the last record applied."""

        self.deployments: dict[tuple[str, str], Mapping[str, Any]] = {}
        """The first registration of each component and deployment."""

        self._manifests: dict[str, str] = {}
        self.pointers: dict[tuple[str, str], Pointer] = {}
        """By environment and component."""

        self.rulings: dict[str, tuple[int, Ruling]] = {}
        """Of every move by its id: the offset of its first record, and what was made of it."""

    @property
    def registered(self) -> set[tuple[str, str]]:
        """Component and deployment of every registration."""
        return set(self.deployments)

    def pointer(self, environment: str, component: str) -> Pointer:
        """Return a pointer; one that was never moved when the topic names none."""
        return self.pointers.get((environment, component)) or Pointer()

    def apply(self, offset: int, name: str, record: Mapping[str, Any]) -> Ruling | None:
        """Take in the next record of the topic.

        Args:
            offset: its offset; one that is not above the last changes nothing.
            name: the record's name, such as `pointer_moved`; others than control's are ignored.
            record: the decoded record.

        Returns:
            What was made of a move; None for any other record.
        """
        if offset <= self.offset:
            return None
        ruling: Ruling | None = None
        if name == "deployment_registered":
            self._register(record)
        elif name == "pointer_moved":
            ruling = self._move(offset, record)
        elif name in {"pointer_frozen", "pointer_unfrozen"}:
            self._named(record).frozen = record if name == "pointer_frozen" else None
        # Last: whoever reads the offset in another thread finds what it stands for.
        self.offset = offset
        return ruling

    def _register(self, record: Mapping[str, Any]) -> None:
        key = (record["component"], record["deployment"])
        if key not in self.deployments:
            # Each component's registration holds the whole manifest: one copy is kept.
            text = str(record.get("manifest", ""))
            text = self._manifests.setdefault(text, text)
            self.deployments[key] = {**record, "manifest": text}

    def _move(self, offset: int, record: Mapping[str, Any]) -> Ruling:
        move_id = record["move_id"]
        if move_id in self.rulings:
            return Ruling.REPEATED
        ruling = self._named(record).take(offset, record)
        self.rulings[move_id] = offset, ruling
        return ruling

    def _named(self, record: Mapping[str, Any]) -> Pointer:
        return self.pointers.setdefault((record["environment"], record["component"]), Pointer())
