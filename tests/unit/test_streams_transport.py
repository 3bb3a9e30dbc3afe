"""During a rebalance no record is handed on, and nothing that Faust skips counts as done."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from faust.types import TP

from tailrace.streams.transport import QuickTransport

RUNS = TP("runs", 0)
CHANGELOG = TP("state-changelog", 0)


def made(*, rebalancing: bool = False, ready: bool = True) -> tuple[Any, list[set[TP]]]:
    """Return a consumer without its connections, and what its thread is asked for."""
    asked: list[set[TP]] = []

    class Thread:
        async def getmany(self, partitions: set[TP], timeout: float) -> dict[TP, Any]:  # noqa: ASYNC109 - Faust's
            assert timeout > 0
            asked.append(set(partitions))
            return {}

    consumer: Any = object.__new__(QuickTransport.Consumer)
    tables = SimpleNamespace(actives_ready=ready, changelog_topics={CHANGELOG.topic})
    consumer.app = SimpleNamespace(rebalancing=rebalancing, tables=tables)
    consumer._thread = Thread()
    consumer.reached = {}
    return consumer, asked


def asks(consumer: Any, partitions: set[TP]) -> None:
    asyncio.run(consumer._getmany(partitions, timeout=1.0))


def test_while_partitions_are_shared_out_and_state_comes_back_only_changelogs_are_read() -> None:
    for told in ({"rebalancing": True}, {"ready": False}):
        consumer, asked = made(**told)
        asks(consumer, {RUNS, CHANGELOG})
        asks(consumer, {RUNS})  # and never nothing, which to aiokafka is everything
        assert asked == [{CHANGELOG}]


def test_then_all_are_read() -> None:
    consumer, asked = made()
    asks(consumer, {RUNS, CHANGELOG})
    assert asked == [{RUNS, CHANGELOG}]


def test_what_faust_acknowledges_is_not_committed_and_what_is_done_is() -> None:
    consumer, _ = made()
    assert not consumer.ack(SimpleNamespace(tp=RUNS, offset=7))
    assert list(consumer._filter_tps_with_pending_acks()) == []
    consumer.reached[RUNS] = 5
    assert list(consumer._filter_tps_with_pending_acks()) == [RUNS]
    assert list(consumer._filter_tps_with_pending_acks({CHANGELOG})) == []
    assert consumer._new_offset(RUNS) == 5
    assert consumer._new_offset(CHANGELOG) is None
