"""What is broken when: a list of timed actions drawn from a seed, and made shorter by dropping."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

WAYS = (
    "sink_killed",
    "sink_frozen",
    "sink_leaves",
    "sink_joins",
    "broker_killed",
    "broker_frozen",
    "clickhouse_killed",
    "clickhouse_frozen",
    "replies_lost",
)
ZOMBIE = "sink_sleeps_beyond_its_session"


@dataclass(frozen=True)
class Action:
    """One thing that is done to one victim."""

    at_s: float
    """When, from the schedule's start."""

    way: str
    """One of `WAYS`, or `ZOMBIE`."""

    victim: int
    """Which of the sinks, where it is one."""

    for_s: float
    """How long it lasts, where it lasts."""

    def __str__(self) -> str:
        return f"{self.at_s:.2f} s: {self.way} ({self.victim}, {self.for_s:.2f} s)"


def draw(seed: int, *, actions: int, within_s: float, sinks: int) -> list[Action]:
    """Return what a seed means, in the order of time; each has one sleeper among the sinks."""
    chance = random.Random(seed)  # noqa: S311 - a test's dice
    ways = [ZOMBIE, *(chance.choice(WAYS) for _ in range(actions - 1))]
    drawn = [
        Action(
            chance.uniform(0, within_s / 3 if way == ZOMBIE else within_s),
            way,
            chance.randrange(sinks),
            chance.uniform(0.1, 1.5),
        )
        for way in ways
    ]
    return sorted(drawn, key=lambda action: action.at_s)


async def shrink(
    actions: Sequence[Action],
    fails: Callable[[Sequence[Action]], Awaitable[bool]],
    *,
    tries: int,
) -> list[Action]:
    """Return actions of which none can be left out without the failure going away.

    Actions are dropped one by one, the last first, as long as what is left still fails. What
    depends on chance may pass by luck and be kept; after `tries` runs the answer is what it is.
    """
    left = list(actions)
    for action in reversed(actions):
        if tries == 0:
            break
        tries -= 1
        without = [kept for kept in left if kept is not action]
        if await fails(without):
            left = without
    return left
