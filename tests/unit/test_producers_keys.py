"""Step keys: unique in a run, and the same whatever the interleaving of branches."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from tailrace.producers.tree.keys import Branch, below, label, quote

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

NAMES = st.sampled_from(["plan", "search", "a/b", "x#1", "@0", "", "é ü"])


@given(st.lists(st.lists(NAMES, max_size=6), max_size=5), st.randoms())
def test_keys_do_not_depend_on_how_branches_interleave(
    branches: list[list[str]], chance: random.Random
) -> None:
    def keys(order: Sequence[int]) -> dict[tuple[int, int], str]:
        root = Branch()
        forks = [root.fork() for _ in branches]
        done = [0] * len(branches)
        found: dict[tuple[int, int], str] = {}
        for branch in order:
            name = label(branches[branch][done[branch]])
            found[branch, done[branch]], unordered, _ = forks[branch].enter(name)
            forks[branch].leave(name)
            assert not unordered
            done[branch] += 1
        return found

    in_turn = [number for number, names in enumerate(branches) for _ in names]
    shuffled = list(in_turn)
    chance.shuffle(shuffled)
    assert keys(in_turn) == keys(shuffled)
    assert len(set(keys(in_turn).values())) == len(in_turn)


@given(st.lists(NAMES | st.text(), max_size=20))
def test_keys_of_a_branch_are_unique_and_below_it(names: list[str]) -> None:
    branch = below("plan#0")
    keys = [branch.enter(label(name))[0] for name in names]
    assert len(set(keys)) == len(keys)
    assert all(key.startswith("plan#0/") and key.count("/") == 1 for key in keys)


@given(st.text(), st.text())
def test_different_texts_are_quoted_differently(one: str, other: str) -> None:
    assert (quote(one) == quote(other)) == (one == other)


@given(st.text(), st.text(min_size=1))
def test_a_label_with_a_key_is_no_label_of_a_name_alone(name: str, key: str) -> None:
    assert label(name, key) != label(name + key)
    assert label(name, key).count(":") == 1


def test_siblings_that_overlap_in_one_branch_got_their_ordinals_by_chance() -> None:
    branch = Branch()
    assert branch.enter("a") == ("a#0", False, False)
    assert branch.enter("b") == ("b#0", False, False)
    assert branch.enter("a") == ("a#1", True, True)
    branch.leave("a")
    branch.leave("a")
    assert branch.enter("a") == ("a#2", False, False)


def test_siblings_that_different_threads_begin_may_have_got_their_ordinals_by_chance() -> None:
    branch = Branch()
    branch.enter("a")
    branch.leave("a")
    entered: list[tuple[str, bool, bool]] = []
    thread = threading.Thread(target=lambda: entered.append(branch.enter("a")))
    thread.start()
    thread.join()
    assert entered == [("a#1", True, False)]


def test_forks_are_numbered_by_their_parent() -> None:
    branch = below("plan#0")
    assert [branch.fork().path for _ in range(2)] == ["plan#0/@0/", "plan#0/@1/"]
    assert branch.fork().fork().path == "plan#0/@2/@0/"
