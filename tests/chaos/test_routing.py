"""Pointers move under a running fleet, by two hands, while agents are stopped: every run is told.

`TAILRACE_CHAOS_STOP_S=60 make chaos` stops a router for a minute.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from support.control_records import ADA, manifest_of
from support.journal import read_events, read_topic
from support.log_journal import create_topics
from support.routed_agents import helper, running_agents, support
from tailrace.producers.routing.control import folded
from tailrace.producers.routing.desk import ControlDesk, MoveIgnoredError
from tailrace.producers.routing.moves import Mover, promote
from tailrace.schemas.topics import CONTROL

if TYPE_CHECKING:
    import subprocess

STOP_S = float(os.environ.get("TAILRACE_CHAOS_STOP_S", "1"))
AGENTS = 3
MOVES = 5
TONES = ("calm", "brisk", "warm")


async def deploy_all(desk: ControlDesk) -> dict[str, list[str]]:
    """Register every manifest and point prod at the first of each component."""
    found: dict[str, list[str]] = {}
    for each in (helper, support):
        for tone in TONES:
            deployment, _ = await desk.register(manifest_of(each, tone=tone), mover=ADA)
            found.setdefault(each.__name__, []).append(deployment)
        target = desk.target("prod", each.__name__)
        await desk.move(promote(target, found[each.__name__][0], ADA))
    return found


async def move_both(
    desk: ControlDesk, deployments: dict[str, list[str]], actor: str, chance: random.Random
) -> int:
    """Move both pointers to the same tone, as somebody else does at the same time."""
    ignored = 0
    tone = chance.randrange(len(TONES))
    for component, ids in deployments.items():
        move = promote(desk.target("prod", component), ids[tone], Mover(actor))
        try:
            await desk.move(move)
        except MoveIgnoredError:
            ignored += 1
    return ignored


async def disturb(
    agents: list[subprocess.Popen[bytes]], deployments: dict[str, list[str]],
    desks: tuple[ControlDesk, ControlDesk], chance: random.Random,
) -> int:  # fmt: skip
    """Move by two hands while one agent after the other is stopped; return the moves ignored."""
    ignored = 0
    for number, agent in enumerate(agents):
        agent.send_signal(signal.SIGSTOP)
        until = time.monotonic() + (STOP_S if number == 0 else 0)
        moves = 0
        while moves < MOVES or time.monotonic() < until:
            for desk in desks:
                await desk.refresh()
            done = await asyncio.gather(
                *(
                    move_both(desk, deployments, f"hand {hand}", chance)
                    for hand, desk in enumerate(desks)
                )
            )
            ignored += sum(done)
            moves += 1
        agent.send_signal(signal.SIGCONT)
    return ignored


@pytest.mark.timeout(300)
def test_every_run_went_where_the_log_said_at_its_offset(kafka: str, topic_prefix: str) -> None:
    create_topics(kafka, topic_prefix)
    chance = random.Random(7)  # noqa: S311 - a test's dice

    async def main() -> int:
        async with (
            ControlDesk(kafka, topic_prefix) as adas,
            ControlDesk(kafka, topic_prefix) as bobs,
        ):
            deployments = await deploy_all(adas)
            with running_agents(kafka, topic_prefix, AGENTS) as agents:
                return await disturb(agents, deployments, (adas, bobs), chance)

    ignored = asyncio.run(main())
    control = folded(
        [(each.offset, each.value) for each in read_topic(kafka, CONTROL.name(topic_prefix))]
    )
    events = [each for each in read_events(kafka, topic_prefix) if each["kind"] == "run_started"]
    assert_routed(control, events)
    assert ignored > 0
    assert len({event["control_offset"] for event in events}) > 2


def assert_routed(control: Any, events: list[dict[str, Any]]) -> None:
    """Hold every run to what the control topic said at the offset that it names."""
    roots: dict[str, int] = {}
    for event in events:
        pointer = control.pointer("prod", event["component"])
        standing = pointer.as_of(event["control_offset"])
        assert standing is not None
        assert event["deployment"] == standing.arms.choose(event["routing_key"])
        assert (
            roots.setdefault(event["root_run_id"], event["control_offset"])
            == event["control_offset"]
        )
        assert not event["code_mismatch"]
