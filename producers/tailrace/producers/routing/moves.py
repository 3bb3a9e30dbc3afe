"""Deciding on a move: what a pointer shall say next, and the record that asks for it. Pure.

A record made here names the revision that it was decided on. Whether it counts is decided by the
log: see `pointers`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from tailrace.producers.routing.pointers import PERSON, ROLLBACK, WHOLE, Ruling, Standing
from tailrace.schemas.errors import TailraceError
from tailrace.schemas.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.producers.routing.pointers import Control, Pointer
    from tailrace.schemas.records import PointerFrozen, PointerMoved, PointerUnfrozen

Intent = Literal["promote", "canary", "abort", "rollback"]


class MoveError(TailraceError):
    """The pointer cannot be moved so; the text says why and what can be done."""


@dataclass(frozen=True, slots=True)
class Mover:
    """Who moves a pointer, and why; every record of it says so."""

    actor: str
    """Name of the person or the automaton."""

    reason: str = ""
    """Why, in a sentence for people."""

    kind: Literal["person", "automaton"] = PERSON
    verdict: str = ""
    """The verdict that an automatic move rests on."""


@dataclass(frozen=True, slots=True)
class Target:
    """The pointer that is to be moved: its name, and the state that the decision rests on."""

    control: Control
    environment: str
    component: str

    @property
    def pointer(self) -> Pointer:
        """What is known of it."""
        return self.control.pointer(self.environment, self.component)

    def __str__(self) -> str:
        """Return the pointer's name for people."""
        return f"{self.component} in {self.environment}"


def promote(target: Target, deployment: str, mover: Mover, weight: int = WHOLE) -> PointerMoved:
    """Give a deployment a share of the new runs; the others keep theirs in proportion.

    Args:
        target: the pointer.
        deployment: what it shall name.
        mover: who asks for it.
        weight: parts of ten thousand; less than all of them is a canary.

    Raises:
        MoveError: if the deployment is not registered for the component or was only recorded, the
            weight is none, nothing takes the rest, or an automaton brings back what was rolled
            back.
    """
    _require_routable(target, deployment)
    if not 0 < weight <= WHOLE:
        raise MoveError(f"a weight lies above 0 and at most at 100%, not at {weight / 100:g}%")
    pointer = target.pointer
    if mover.kind != PERSON and deployment in pointer.rolled_back:
        raise MoveError(
            f"{deployment[:12]} was rolled back from {target}: only a person may bring it back"
        )
    others = {name: each for name, each in pointer.weights.items() if name != deployment}
    if weight == WHOLE:
        return _move(target, {deployment: WHOLE}, "promote", mover)
    if not others:
        raise MoveError(
            f"{weight / 100:g}% for {deployment[:12]} leaves nothing for the other runs of "
            f"{target}: no other deployment takes any; deploy it at 100%"
        )
    shares = {deployment: weight, **shared(others, WHOLE - weight)}
    return _move(target, shares, "canary", mover)


def abort(target: Target, deployment: str, mover: Mover) -> PointerMoved:
    """End a canary: its share goes back to the others, and it returns only by a person.

    Raises:
        MoveError: if the deployment takes no runs there, or all of them.
    """
    weights = target.pointer.weights
    others = {name: each for name, each in weights.items() if name != deployment}
    if deployment not in weights or not others:
        raise MoveError(
            f"{deployment[:12]} is no canary of {target}: it takes "
            f"{weights.get(deployment, 0) / 100:g}% of the runs"
        )
    return _move(target, shared(others, WHOLE), "abort", mover, rolled_back=(deployment,))


def roll_back(target: Target, mover: Mover, revision: int | None = None) -> PointerMoved:
    """Go back to the last state that stood at 100% and was not itself rolled back.

    What took runs since and does not then is rolled back: it returns only by a person.

    Args:
        target: the pointer.
        mover: who asks for it.
        revision: go back to this revision instead, whatever became of it; a person's choice.

    Raises:
        MoveError: if there is no such state.
    """
    pointer = target.pointer
    standing = pointer.rollback_target() if revision is None else _at(target, revision)
    if standing is None:
        raise MoveError(
            f"{target} has no state to go back to: none before stood at 100% without being "
            "rolled back; choose a revision from `tailrace history`, or deploy another"
        )
    if mover.kind != PERSON and not pointer.rolled_back.isdisjoint(standing.weights):
        raise MoveError(f"revision {standing.revision} of {target} was rolled back: ask a person")
    left = tuple(sorted(set(pointer.weights) - set(standing.weights)))
    return _move(target, standing.weights, ROLLBACK, mover, rolled_back=left)


def freeze(target: Target, mover: Mover) -> PointerFrozen:
    """Have the pointer ignore every move until it is unfrozen, except a person's rollback."""
    from tailrace.schemas.records import PointerFrozen  # noqa: PLC0415 - heavy to import

    return PointerFrozen(
        freeze_id=new_id(),
        component=target.component,
        environment=target.environment,
        actor=mover.actor,
        actor_kind=mover.kind,
        reason=mover.reason,
        verdict=mover.verdict,
        ts=datetime.now(UTC),
    )


def unfreeze(target: Target, mover: Mover) -> PointerUnfrozen:
    """Have a frozen pointer take moves again."""
    from tailrace.schemas.records import PointerUnfrozen  # noqa: PLC0415 - heavy to import

    return PointerUnfrozen(
        unfreeze_id=new_id(),
        component=target.component,
        environment=target.environment,
        actor=mover.actor,
        actor_kind=mover.kind,
        reason=mover.reason,
        ts=datetime.now(UTC),
    )


def shared(weights: Mapping[str, int], whole: int) -> dict[str, int]:
    """Share a whole out in proportion to weights, in whole parts and at least one for each.

    What rounding leaves goes to the largest remainders, then by name: everyone gets the same.
    """
    total = sum(weights.values())
    shares = {name: max(1, weight * whole // total) for name, weight in weights.items()}
    by_remainder = sorted(weights, key=lambda name: (-(weights[name] * whole % total), name))
    left = whole - sum(shares.values())
    for name in by_remainder[: max(left, 0)]:
        shares[name] += 1
    for name in sorted(shares, key=lambda each: (-shares[each], each))[:1]:
        shares[name] += min(left, 0)
    return shares


def _at(target: Target, revision: int) -> Standing:
    for standing in target.pointer.standings:
        if standing.revision == revision:
            return standing
    raise MoveError(f"{target} has no revision {revision}: see `tailrace history`")


def _require_routable(target: Target, deployment: str) -> None:
    registered = target.control.deployments.get((target.component, deployment))
    if registered is None:
        raise MoveError(
            f"deployment {deployment[:12]} is not registered for {target.component}: see "
            "`tailrace deployments ls`, or register it with `tailrace deploy`"
        )
    if registered["recorded_only"]:
        raise MoveError(
            f"deployment {deployment[:12]} stands for recorded runs alone: it has no entry point "
            "that runs could go to"
        )


def _move(
    target: Target,
    weights: Mapping[str, int],
    intent: Intent,
    mover: Mover,
    rolled_back: tuple[str, ...] = (),
) -> PointerMoved:
    from tailrace.schemas.records import PointerMoved  # noqa: PLC0415 - heavy to import

    pointer = target.pointer
    if pointer.frozen is not None and not (mover.kind == PERSON and intent == ROLLBACK):
        why = f" ({reason})" if (reason := pointer.frozen["reason"]) else ""
        raise MoveError(
            f"{target} is frozen by {pointer.frozen['actor']}{why}: unfreeze it first, or roll it "
            "back"
        )
    now = pointer.current
    move_id = new_id()
    return PointerMoved(
        move_id=move_id,
        component=target.component,
        environment=target.environment,
        weights=dict(weights),
        decided_on=pointer.revision,
        # One rollout keeps its salt, so that a share that grows keeps who was in it.
        salt=now.salt if now is not None and now.whole is None else move_id,
        intent=intent,
        rolled_back=rolled_back,
        actor=mover.actor,
        actor_kind=mover.kind,
        reason=mover.reason,
        verdict=mover.verdict,
        ts=datetime.now(UTC),
    )


def told(ruling: Ruling, control: Control, move: PointerMoved) -> str:
    """Return for people what became of a move that did not count, and what stands instead."""
    target = Target(control, move.environment, move.component)
    now = target.pointer.current
    if ruling is Ruling.STALE and now is not None:
        by = now.move
        return (
            f"{target} was moved meanwhile by {by['actor']} ({by['intent']}, revision "
            f"{now.revision}): look at `tailrace history`, then decide anew"
        )
    frozen = target.pointer.frozen
    if ruling is Ruling.FROZEN and frozen is not None:
        return f"{target} was frozen meanwhile by {frozen['actor']}: {frozen['reason']}"
    return f"the move of {target} does not count: {ruling.value}"
