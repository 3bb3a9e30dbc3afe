from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from support.chaos_schedule import ZOMBIE, Action, draw, shrink

if TYPE_CHECKING:
    from collections.abc import Sequence


@given(st.integers(0, 2**31), st.integers(1, 30))
def test_a_seed_always_means_the_same(seed: int, actions: int) -> None:
    drawn = draw(seed, actions=actions, within_s=8, sinks=2)
    assert drawn == draw(seed, actions=actions, within_s=8, sinks=2)
    assert len(drawn) == actions
    assert sum(action.way == ZOMBIE for action in drawn) == 1
    assert [action.at_s for action in drawn] == sorted(action.at_s for action in drawn)


@given(st.integers(1, 20), st.data())
def test_shrinking_leaves_exactly_what_the_failure_needs(count: int, data: st.DataObject) -> None:
    actions = [Action(float(number), "sink_killed", 0, 1.0) for number in range(count)]
    needed = set(data.draw(st.lists(st.sampled_from(actions), unique=True)))

    async def fails(left: Sequence[Action]) -> bool:
        return needed <= set(left)

    assert set(asyncio.run(shrink(actions, fails, tries=count))) == needed
