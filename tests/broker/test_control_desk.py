"""Moving pointers on a real broker: who comes second is told, and a repetition is no error."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from support.log_journal import create_topics
from tailrace.producers.deployments.manifest import component_manifest
from tailrace.producers.routing.desk import ControlDesk, MoveIgnoredError
from tailrace.producers.routing.moves import Mover, freeze, promote, roll_back
from tailrace.producers.routing.pointers import WHOLE, Ruling
from tailrace.schemas.topic_follower import TopicUnreachableError

ADA, BOB = Mover("ada", "it is better"), Mover("bob", "it is cheaper")


def manifest(prompt: str) -> dict[str, Any]:
    return component_manifest(
        "support", entry_point="agent:support", config={"prompt": prompt}, steps={}, code_digest="c"
    )


@pytest.fixture
def prefix(kafka: str, topic_prefix: str) -> str:
    create_topics(kafka, topic_prefix)
    return topic_prefix


def test_of_two_who_move_at_once_one_is_told(kafka: str, prefix: str) -> None:
    async def main() -> None:
        async with ControlDesk(kafka, prefix) as adas, ControlDesk(kafka, prefix) as bobs:
            first, new = await adas.register(manifest("a"), mover=ADA)
            assert new == ("support",)
            assert (await adas.register(manifest("a"), mover=ADA))[1] == ()
            second, _ = await adas.register(manifest("b"), mover=ADA)
            await bobs.refresh()
            mine = promote(adas.target("prod", "support"), first, ADA)
            theirs = promote(bobs.target("prod", "support"), second, BOB)
            done = await asyncio.gather(adas.move(mine), bobs.move(theirs), return_exceptions=True)
            ignored = [each for each in done if isinstance(each, MoveIgnoredError)]
            assert [each.ruling for each in ignored] == [Ruling.STALE]
            assert "was moved meanwhile by" in str(ignored[0])
            revision = max(each for each in done if isinstance(each, int))
            accepted = mine if done[0] == revision else theirs
            assert await adas.move(accepted) == revision
            await adas.refresh()
            await bobs.refresh()
            pointers = [desk.target("prod", "support").pointer for desk in (adas, bobs)]
            assert {pointer.revision for pointer in pointers} == {revision}
            assert pointers[0].weights == accepted.weights
            await bobs.append(freeze(bobs.target("prod", "support"), BOB), "support")
            with pytest.raises(MoveIgnoredError, match="frozen meanwhile by bob"):
                await adas.move(accepted.model_copy(
                    update={"move_id": "x", "decided_on": revision}
                ))  # fmt: skip

    asyncio.run(main())


def test_a_desk_without_topics_says_what_to_do(kafka: str, topic_prefix: str) -> None:
    async def main() -> None:
        async with ControlDesk(kafka, topic_prefix):
            pass

    with pytest.raises(TopicUnreachableError, match="tailrace topics apply"):
        asyncio.run(main())


def test_another_desk_rolls_back_what_it_read(kafka: str, prefix: str) -> None:
    async def deploy() -> None:
        async with ControlDesk(kafka, prefix) as desk:
            for prompt in ("a", "b"):
                deployment, _ = await desk.register(manifest(prompt), mover=ADA)
                await desk.move(promote(desk.target("prod", "support"), deployment, ADA))

    async def back() -> dict[str, int]:
        async with ControlDesk(kafka, prefix) as desk:
            await desk.move(roll_back(desk.target("prod", "support"), BOB))
            return dict(desk.target("prod", "support").pointer.weights)

    asyncio.run(deploy())
    weights = asyncio.run(back())
    assert list(weights.values()) == [WHOLE]
