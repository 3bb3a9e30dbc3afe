"""Steps of one name in threads of the agent's own: a replay finds each again by its input."""

from __future__ import annotations

import contextvars
import threading
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from support.journal import of_kind, only
from tailrace.producers import component, step
from tailrace.producers.testing import memory_journal
from tailrace.producers.tree.matching import Siblings, group_of, groups_of

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

_WAIT_S = 30


def recorded(inputs: Sequence[int]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Record one step a thread, begun in the order of the inputs, all open at once.

    Returns the events of all steps, and the run's last event.
    """
    gate = threading.Event()
    begun = threading.Semaphore(0)

    @step
    def inner(number: int) -> int:
        return number

    @step
    def meet(number: int) -> int:
        begun.release()
        gate.wait(_WAIT_S)
        return inner(number)

    @step
    def outer() -> None:
        threads: list[threading.Thread] = []
        for number in inputs:
            call = contextvars.copy_context().run
            threads.append(threading.Thread(target=call, args=(meet, number)))
            threads[-1].start()
            assert begun.acquire(timeout=_WAIT_S)
        gate.set()
        for thread in threads:
            thread.join(_WAIT_S)

    @component
    def run() -> None:
        outer()

    with memory_journal() as journal:
        run()
    return of_kind(journal, "step_completed"), only(journal, "run_completed")


def by_key(steps: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(each["step_key"], each["input_digest"]) for each in steps]


def replayed(steps: Sequence[dict[str, Any]], siblings: Siblings) -> dict[str, str]:
    """Return the input digest by the key that a replay gives, for steps in the order they began."""
    key_of: dict[str, str] = {}
    found: dict[str, str] = {}
    for each in sorted(steps, key=lambda each: int(each["step_id"], 16)):
        above = key_of.get(each["parent_step_id"], "")
        name = group_of(each["step_key"]).rpartition("/")[2]
        key = siblings.enter(f"{above}/{name}" if above else name, each["input_digest"])
        assert key not in found
        key_of[each["step_id"]] = key
        found[key] = each["input_digest"]
    return found


@settings(deadline=None, max_examples=25)
@given(st.sets(st.integers(), min_size=2, max_size=5), st.data())
def test_siblings_of_different_input_have_the_same_keys_in_every_interleaving(
    inputs: set[int], data: st.DataObject
) -> None:
    first = data.draw(st.permutations(sorted(inputs)))
    second = data.draw(st.permutations(sorted(inputs)))
    steps, last = recorded(first)
    again, _ = recorded(second)
    assert last["not_replayable"] == ""
    assert groups_of(last["attributes"]) == {"outer#0/meet"}
    record = dict(by_key(steps))
    assert replayed(again, Siblings(by_key(steps), groups_of(last["attributes"]))) == record


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 2), min_size=2, max_size=4))
def test_only_the_same_input_at_the_same_time_makes_a_run_not_replayable(
    inputs: list[int],
) -> None:
    _, last = recorded(inputs)
    assert bool(last["not_replayable"]) == (len(set(inputs)) < len(inputs))


LETTERS = st.lists(st.sampled_from("abcd"), max_size=8)


@given(LETTERS, st.randoms())
def test_each_recorded_step_is_found_once_and_in_every_order(
    digests: list[str], chance: random.Random
) -> None:
    record = [(f"x/s#{number}", digest) for number, digest in enumerate(digests)]
    begun = list(digests)
    chance.shuffle(begun)
    siblings = Siblings(record, {"x/s"})
    assert sorted((siblings.enter("x/s", each), each) for each in begun) == sorted(record)


@given(LETTERS, LETTERS)
def test_what_the_record_does_not_have_gets_a_key_of_its_own_and_takes_none_away(
    digests: list[str], others: list[str]
) -> None:
    record = [(f"s#{number}", digest) for number, digest in enumerate(digests)]
    siblings = Siblings(record, {"s"})
    strange = [siblings.enter("s", f"edited {each}") for each in others]
    assert len(set(strange) - dict(record).keys()) == len(others)
    assert sorted((siblings.enter("s", each), each) for each in digests) == sorted(record)


def test_in_an_ordered_group_the_ordinal_counts_whatever_was_given() -> None:
    siblings = Siblings([("s#0", "a"), ("s#1", "b"), ("t#0", "a")], {"t"})
    assert [siblings.enter("s", each) for each in "bac"] == ["s#0", "s#1", "s#2"]
