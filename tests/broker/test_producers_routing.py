"""Routing on a real broker: moves take effect in open clients, and a cold start without it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from support.control_records import ADA, manifest_of
from support.journal import read_events
from support.kafka_proxy import KafkaProxy
from support.log_journal import create_topics
from support.routed_agents import helper, support
from support.waiting import wait_until
from tailrace.producers import NoPointerError, Tailrace
from tailrace.producers.routing.desk import ControlDesk, ControlUnreachableError
from tailrace.producers.routing.moves import promote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tailrace.schemas.records import PointerMoved


AGENT = (helper, support)


@pytest.fixture
def prefix(kafka: str, topic_prefix: str) -> str:
    create_topics(kafka, topic_prefix)
    return topic_prefix


@pytest.fixture
def proxy(kafka: str) -> Iterator[KafkaProxy]:
    proxy = KafkaProxy(kafka)
    proxy.start()
    yield proxy
    proxy.stop()


def deploy(kafka: str, prefix: str, *manifests: dict[str, Any]) -> dict[str, str]:
    """Deploy manifests to prod; return the deployment that each component was moved to."""

    async def main() -> dict[str, str]:
        moved: dict[str, str] = {}
        async with ControlDesk(kafka, prefix) as desk:
            for manifest in manifests:
                (component,) = manifest["components"]
                moved[component], _ = await desk.register(manifest, mover=ADA)
                target = desk.target("prod", component)
                await desk.move(promote(target, moved[component], ADA))
        return moved

    return asyncio.run(main())


def test_a_move_takes_effect_in_clients_that_are_open(kafka: str, prefix: str) -> None:
    with Tailrace(kafka, environment="prod", prefix=prefix):
        with pytest.raises(NoPointerError):
            support()
        calm = deploy(kafka, prefix, *(manifest_of(each, tone="calm") for each in AGENT))
        wait_until(lambda: routed() == ["calm"] * 3, "the first pointers")
        brisk = deploy(kafka, prefix, *(manifest_of(each, tone="brisk") for each in AGENT))
        wait_until(lambda: routed() == ["brisk"] * 3, "the second pointers")
    events = read_events(kafka, prefix)
    assert {event["environment"] for event in events} == {"prod"}
    assert {event["deployment"] for event in events} == {*calm.values(), *brisk.values()}
    offsets: dict[str, set[int]] = {}
    for event in events:
        offsets.setdefault(event["root_run_id"], set()).add(event["control_offset"])
    assert all(len(found) == 1 for found in offsets.values())


def routed() -> list[str]:
    try:
        return support()
    except NoPointerError:
        return []


def test_a_process_starts_without_kafka_by_what_the_host_kept(
    kafka: str, prefix: str, proxy: KafkaProxy, tmp_path: Path
) -> None:
    deploy(kafka, prefix, manifest_of(helper, tone="calm"))
    told: dict[str, Any] = {
        "environment": "prod", "prefix": prefix, "spool": str(tmp_path), "ack_timeout_s": 5.0
    }  # fmt: skip
    with Tailrace(proxy.address, **told):
        assert helper() == "calm"
        wait_until(lambda: any(tmp_path.rglob("pointers-*.json")), "the pointers on disk")
    proxy.stalled = True
    with Tailrace(proxy.address, **told, open_timeout_s=0.5):
        began = time.monotonic()
        assert helper() == "calm"
        assert time.monotonic() - began < told["ack_timeout_s"]
        proxy.stalled = False
        deploy(kafka, prefix, manifest_of(helper, tone="brisk"))
        wait_until(lambda: helper() == "brisk", "the pointers of the broker")


def test_a_move_whose_acknowledgement_was_lost_is_made_once(
    kafka: str, prefix: str, proxy: KafkaProxy
) -> None:
    async def main() -> tuple[PointerMoved, int, int]:
        async with ControlDesk(proxy.address, prefix, timeout_s=3.0) as desk:
            deployment, _ = await desk.register(manifest_of(helper, tone="calm"), mover=ADA)
            move = promote(desk.target("prod", "helper"), deployment, ADA)
            proxy.stalled = True
            with pytest.raises(ControlUnreachableError, match="may or may not lie on the log"):
                await desk.move(move)
            proxy.stalled = False
        async with ControlDesk(kafka, prefix) as desk:
            revision = await desk.move(move)
            assert await desk.move(move) == revision
            return move, revision, len(desk.target("prod", "helper").pointer.standings)

    move, revision, moves = asyncio.run(main())
    assert (move.decided_on, moves) == (-1, 1)
    assert revision >= 1
