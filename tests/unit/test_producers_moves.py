"""Deciding on moves: rollouts grow, roll back and freeze as the design says."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.producers.routing.moves import (
    MoveError,
    Mover,
    Target,
    abort,
    freeze,
    promote,
    roll_back,
    shared,
    told,
    unfreeze,
)
from tailrace.producers.routing.pointers import WHOLE, Control, Ruling
from tailrace.producers.routing.rendezvous import Arms
from tailrace.schemas.records import PointerMoved

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.schemas.records.base import Record

ADA = Mover("ada", "it is better")
GUARD = Mover("guard", "errors rose", "automaton", "v1")
PROD = ("prod", "support")
NOW = datetime(2026, 11, 26, tzinfo=UTC)


class Log:
    """A control topic and what it says."""

    def __init__(self, *deployments: str) -> None:
        self.control = Control()
        self.records: list[tuple[int, str, dict[str, Any]]] = []
        for deployment in deployments:
            self._apply("deployment_registered", registered(deployment))

    @property
    def target(self) -> Target:
        return Target(self.control, *PROD)

    @property
    def weights(self) -> dict[str, int]:
        return dict(self.target.pointer.weights)

    def append(self, record: Record) -> Ruling | None:
        return self._apply(record.schema_name, record.flatten())

    def _apply(self, name: str, record: dict[str, Any]) -> Ruling | None:
        self.records.append((self.control.offset + 1, name, record))
        return self.control.apply(*self.records[-1])

    def do(self, decide: Callable[..., Record], *told: Any) -> Ruling | None:
        return self.append(decide(self.target, *told))


def registered(deployment: str, *, recorded_only: bool = False) -> dict[str, Any]:
    return {"component": "support", "deployment": deployment, "recorded_only": recorded_only}


def test_a_canary_grows_is_promoted_and_rolled_back_to_what_stood_before() -> None:
    log = Log("a", "b")
    log.do(promote, "a", ADA)
    log.do(promote, "b", ADA, 500)
    assert log.weights == {"a": 9500, "b": 500}
    salt = log.target.pointer.current.salt  # pyright: ignore[reportOptionalMemberAccess] - it stands
    log.do(promote, "b", ADA, 5000)
    assert log.target.pointer.current.salt == salt  # pyright: ignore[reportOptionalMemberAccess] - as above
    log.do(promote, "b", ADA)
    log.do(roll_back, ADA)
    assert log.weights == {"a": WHOLE}
    assert log.target.pointer.rolled_back == {"b"}
    with pytest.raises(MoveError, match="no state to go back to"):
        roll_back(log.target, ADA)


def test_a_rollback_passes_over_what_was_rolled_back() -> None:
    log = Log("a", "b", "c")
    for deployment in "ab":
        log.do(promote, deployment, ADA)
    log.do(roll_back, ADA)
    log.do(promote, "c", ADA)
    log.do(roll_back, ADA)
    assert log.weights == {"a": WHOLE}


def test_an_aborted_canary_returns_by_a_person_alone() -> None:
    log = Log("a", "b")
    log.do(promote, "a", ADA)
    log.do(promote, "b", ADA, 100)
    log.do(abort, "b", GUARD)
    assert log.weights == {"a": WHOLE}
    with pytest.raises(MoveError, match="only a person"):
        promote(log.target, "b", GUARD, 100)
    forged = promote(log.target, "b", ADA, 100).model_copy(update={"actor_kind": "automaton"})
    assert log.append(forged) is Ruling.ROLLED_BACK
    assert log.do(promote, "b", ADA, 100) is Ruling.ACCEPTED
    assert log.target.pointer.rolled_back == set()


def test_a_person_goes_back_to_any_revision() -> None:
    log = Log("a", "b")
    log.do(promote, "a", ADA)
    log.do(promote, "b", ADA, 300)
    canary = log.target.pointer.revision
    log.do(roll_back, ADA)
    log.append(roll_back(log.target, ADA, canary))
    assert log.weights == {"a": 9700, "b": 300}
    with pytest.raises(MoveError, match="no revision 77"):
        roll_back(log.target, ADA, 77)
    with pytest.raises(MoveError, match="no canary"):
        abort(log.target, "c", ADA)


def test_a_frozen_pointer_is_moved_by_a_persons_rollback_alone() -> None:
    log = Log("a", "b")
    log.do(promote, "a", ADA)
    log.do(promote, "b", ADA)
    late = promote(log.target, "a", ADA)
    log.do(freeze, GUARD)
    assert log.append(late) is Ruling.FROZEN
    assert "frozen meanwhile by guard: errors rose" in told(Ruling.FROZEN, log.control, late)
    for decide in (lambda: promote(log.target, "a", ADA), lambda: roll_back(log.target, GUARD)):
        with pytest.raises(MoveError, match="frozen by guard"):
            decide()
    assert log.do(roll_back, ADA) is Ruling.ACCEPTED
    log.do(unfreeze, ADA)
    assert log.do(promote, "b", ADA) is Ruling.ACCEPTED


def test_who_comes_second_is_told_what_happened_instead() -> None:
    log = Log("a", "b")
    log.do(promote, "a", ADA)
    mine, theirs = promote(log.target, "b", ADA), promote(log.target, "b", Mover("bob"), 100)
    assert log.append(theirs) is Ruling.ACCEPTED
    assert log.append(theirs) is Ruling.REPEATED
    assert log.append(mine) is Ruling.STALE
    assert "moved meanwhile by bob (canary, revision 3)" in told(Ruling.STALE, log.control, mine)


def test_what_cannot_be_routed_to_is_refused() -> None:
    log = Log("a")
    log.control.apply(9, "deployment_registered", registered("r", recorded_only=True))
    for deployment, weight, says in (
        ("x", WHOLE, "not registered"), ("r", WHOLE, "recorded runs alone"),
        ("a", 0, "above 0"), ("a", WHOLE + 1, "above 0"), ("a", 10, "leaves nothing"),
    ):  # fmt: skip
        with pytest.raises(MoveError, match=says):
            promote(log.target, deployment, ADA, weight)


@given(
    st.dictionaries(st.text(max_size=3), st.integers(1, WHOLE), min_size=1, max_size=6),
    st.integers(10, WHOLE),
)
def test_shares_add_up_and_keep_their_proportions(weights: dict[str, int], whole: int) -> None:
    shares = shared(weights, whole)
    assert sum(shares.values()) == whole
    assert set(shares) == set(weights)
    for name, share in shares.items():
        assert share >= 1
        assert abs(share - weights[name] * whole / sum(weights.values())) <= len(weights)


ARMS = st.dictionaries(st.sampled_from("abcde"), st.integers(1, WHOLE), min_size=2, max_size=5)


@given(ARMS, st.text(max_size=4), st.data())
def test_no_key_leaves_the_share_that_grows(
    weights: dict[str, int], salt: str, data: st.DataObject
) -> None:
    growing = data.draw(st.sampled_from(sorted(weights)))
    others = {name: weight for name, weight in weights.items() if name != growing}
    shrunk = {name: data.draw(st.integers(1, weight)) for name, weight in others.items()}
    grown = {growing: data.draw(st.integers(weights[growing], 2 * WHOLE)), **shrunk}
    before, after = Arms(weights, salt), Arms(grown, salt)
    for number in range(50):
        if before.choose(f"key {number}") == growing:
            assert after.choose(f"key {number}") == growing


@given(ARMS, st.text(max_size=4))
def test_weights_are_met(weights: dict[str, int], salt: str) -> None:
    keys = 2000
    got = Arms(weights, salt).shares(f"{salt} {number}" for number in range(keys))
    total = sum(weights.values())
    for name, weight in weights.items():
        share = weight / total
        # Six standard deviations of the binomial, and one key.
        assert abs(got[name] - keys * share) <= 6 * math.sqrt(keys * share * (1 - share)) + 1


@given(st.permutations("abc"), st.text())
def test_a_key_stays_whatever_the_order(order: list[str], key: str) -> None:
    weights = {"a": 2000, "b": 3000, "c": 5000}
    mixed = {name: weights[name] for name in order}
    assert Arms(mixed, "s").choose(key) == Arms(weights, "s").choose(key)
    assert Arms({"a": WHOLE, "b": 0}, "s").choose(key) == "a"


DEPLOYMENTS = ("a", "b", "c")
ACTORS = st.sampled_from([ADA, GUARD])


def decided(draw: st.DrawFn, target: Target, actor: Mover) -> Record:
    what = draw(st.sampled_from(["promote", "canary", "abort", "roll back", "freeze", "unfreeze"]))
    if what == "promote":
        return promote(target, draw(st.sampled_from(DEPLOYMENTS)), actor)
    if what == "canary":
        share = draw(st.integers(1, WHOLE - 1))
        return promote(target, draw(st.sampled_from(DEPLOYMENTS)), actor, share)
    if what == "abort":
        return abort(target, draw(st.sampled_from(DEPLOYMENTS)), actor)
    if what == "roll back":
        return roll_back(target, actor)
    return (freeze if what == "freeze" else unfreeze)(target, actor)


@st.composite
def histories(draw: st.DrawFn) -> Log:
    """Draw what people and automata did, some of it at once, and repeated."""
    log = Log(*DEPLOYMENTS)
    late: list[Record] = []
    for _ in range(draw(st.integers(1, 12))):
        try:
            record = decided(draw, log.target, draw(ACTORS))
        except MoveError:
            continue
        late.append(record)
        if draw(st.booleans()):
            log.append(record)
        if draw(st.integers(0, 3)) == 0:
            log.append(draw(st.sampled_from(late)))
    return log


@given(histories())
def test_a_rollback_never_lands_on_what_was_rolled_back(log: Log) -> None:
    pointer = log.target.pointer
    banned = set(pointer.rolled_back)
    try:
        move = roll_back(log.target, ADA)
    except MoveError:
        return
    assert banned.isdisjoint(move.weights)
    before = set(pointer.weights)
    assert log.append(move) is Ruling.ACCEPTED
    assert len(log.weights) == 1
    assert log.target.pointer.rolled_back >= before - set(log.weights)


@given(histories())
def test_a_frozen_pointer_ignores_all_but_a_persons_rollback(log: Log) -> None:
    log.do(freeze, ADA)
    frozen = log.target.pointer
    for deployment in DEPLOYMENTS:
        for mover in (ADA, GUARD):
            with pytest.raises(MoveError, match="is frozen by"):
                promote(log.target, deployment, mover)
    before = frozen.revision
    forged = PointerMoved(
        move_id="forged", component="support", environment="prod", weights={"a": WHOLE},
        decided_on=before, intent="promote", actor="ada", actor_kind="person", ts=NOW,
    )  # fmt: skip
    assert log.append(forged) is Ruling.FROZEN
    assert log.target.pointer.revision == before


@given(histories(), st.data())
def test_every_reader_of_every_prefix_agrees_and_what_was_said_stays(
    log: Log, data: st.DataObject
) -> None:
    one = Control()
    said: list[tuple[int, object]] = []
    for offset, name, record in log.records:
        one.apply(offset, name, record)
        cut = data.draw(st.integers(0, offset), label="read again from")
        for again in log.records[cut : offset + 1]:
            one.apply(*again)
        other = Control()
        for each in log.records[: offset + 1]:
            other.apply(*each)
        assert vars(one) == vars(other)
        now = one.pointer(*PROD).as_of(offset)
        said.append((offset, None if now is None else (now.revision, now.weights)))
    for offset, what in said:
        then = one.pointer(*PROD).as_of(offset)
        assert (None if then is None else (then.revision, then.weights)) == what
