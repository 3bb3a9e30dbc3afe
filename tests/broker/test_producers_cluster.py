"""A cluster of several brokers: topics that are missing, leaders that move and die."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, cast

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from support.journal import assert_whole, read_events, read_topic
from support.kafka_cluster import NODES, running_cluster
from support.waiting import wait_until
from tailrace.producers import KafkaUnreachableError, Tailrace, component, current_run, step
from tailrace.producers.delivery.partition_counts import WRITTEN
from tailrace.schemas import wire
from tailrace.schemas.cluster import describe_cluster, describe_topics
from tailrace.schemas.topic_admin import apply
from tailrace.schemas.topics import RUNS, STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.kafka_cluster import KafkaCluster

AGENTS = 4
STEPS_A_RUN = 3
WAIT_S = 60.0
POLL_S = 0.2  # each look is a client of its own


@step
def work(number: int) -> int:
    return number


@component
def run(number: int) -> str:
    for each in range(STEPS_A_RUN):
        assert work(number + each) == number + each
    return current_run().run_id


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    with running_cluster() as brokers:
        yield brokers


def create_topics(cluster: KafkaCluster, prefix: str, replication: int) -> None:
    options = {"bootstrap_servers": cluster.address}
    asyncio.run(
        apply(WRITTEN, prefix=prefix, partitions=3, replication=replication, options=options)
    )


def test_missing_topics_are_named_and_what_ran_without_them_is_sent_when_they_are_there(
    cluster: KafkaCluster, topic_prefix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.WARNING, "tailrace.producers"),
        Tailrace(
            cluster.address, prefix=topic_prefix, open_timeout_s=2, spool=str(tmp_path)
        ) as client,
    ):
        wait_until(lambda: "creates them" in caplog.text, "they are named", timeout_s=WAIT_S)
        said = next(each for each in caplog.messages if "`tailrace topics apply`" in each)
        assert all(topic.name(topic_prefix) in said for topic in WRITTEN)
        ids = {run(number) for number in range(5)}
        create_topics(cluster, topic_prefix, replication=1)
        wait_until(
            lambda: not list(tmp_path.rglob("*.spool")), "the spool is sent", timeout_s=WAIT_S
        )
        assert (client.stats.defects, client.stats.shed) == (0, 0)
    events = read_events(cluster.address, topic_prefix)
    assert_whole(events)
    assert {each["run_id"] for each in events} == ids


def test_a_client_that_needs_the_broker_names_missing_topics_too(
    cluster: KafkaCluster, topic_prefix: str
) -> None:
    client = Tailrace(cluster.address, prefix=topic_prefix, open_timeout_s=5, require_kafka=True)
    with pytest.raises(KafkaUnreachableError, match=r"has no topic .*tailrace topics apply"):
        client.open()


def test_a_cluster_is_described_by_whichever_broker_answers(
    cluster: KafkaCluster, topic_prefix: str
) -> None:
    create_topics(cluster, topic_prefix, replication=3)
    name = RUNS.name(topic_prefix)
    seen: list[int] = []

    async def ask(*, killed: bool) -> None:
        admin = cast("Any", AIOKafkaAdminClient)(bootstrap_servers=cluster.address)
        await admin.start()
        try:
            seen.append((await describe_cluster(admin)).brokers)
            if killed:
                assert len(admin._client.cluster.brokers()) == len(NODES)
                cluster.kill(3)  # which this client goes on taking for a broker
                for _ in range(8):
                    assert [each["topic"] for each in await describe_topics(admin, [name])] == [
                        name
                    ]
        finally:
            await admin.close()

    def all_are_there() -> bool:
        asyncio.run(ask(killed=False))
        return seen[-5:] == 5 * [len(NODES)]

    wait_until(all_are_there, "each broker knows of all", timeout_s=WAIT_S, poll_s=POLL_S)
    try:
        asyncio.run(ask(killed=True))
    finally:
        cluster.start_node(3)
    seen.clear()
    wait_until(all_are_there, "the killed one is known again", timeout_s=WAIT_S, poll_s=POLL_S)


class Agents:
    """Threads that run one component after the other, and note each run that was promised."""

    def __init__(self) -> None:
        self.promised: list[str] = []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(n,)) for n in range(AGENTS)]

    def _work(self, number: int) -> None:
        while not self._ended.wait(0.02):
            self.promised.append(run(number))

    def __enter__(self) -> Agents:  # noqa: PYI034 - nobody derives from it
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(WAIT_S)

    def go_on(self) -> None:
        """Wait until more runs were promised than were in progress."""
        until = len(self.promised) + 5 * AGENTS
        wait_until(lambda: len(self.promised) > until, "agents go on", timeout_s=WAIT_S)


def test_nothing_is_lost_or_out_of_order_while_leaders_are_killed_and_move(
    cluster: KafkaCluster, topic_prefix: str, tmp_path: Path
) -> None:
    topics = [topic.name(topic_prefix) for topic in (RUNS, STEPS)]

    def until_it_leads(node: int) -> None:
        wait_until(lambda: leads(node), "it leads", timeout_s=WAIT_S, poll_s=POLL_S)

    def until_others_lead(node: int) -> None:
        wait_until(lambda: not leads(node), "others lead", timeout_s=WAIT_S, poll_s=POLL_S)

    def leads(node: int) -> bool:
        return node in cluster.leaders(topics)

    create_topics(cluster, topic_prefix, replication=3)
    with Tailrace(
        cluster.address, prefix=topic_prefix, spool=str(tmp_path), ack_timeout_s=WAIT_S
    ) as client:
        with Agents() as agents:
            until_it_leads(2)
            agents.go_on()
            cluster.kill(2)
            until_others_lead(2)
            agents.go_on()
            cluster.start_node(2)
            # What moves back moves while its leader of the meantime is alive.
            until_it_leads(2)
            agents.go_on()
            cluster.kill(3)
            until_others_lead(3)
            agents.go_on()
        assert client.flush(WAIT_S)
    stats = client.stats
    assert (stats.unsent, stats.left, stats.shed, stats.unacknowledged) == (0, 0, 0, 0)
    assert_promised(cluster.address, topics, agents.promised, may_repeat=stats.restarts > 0)


def assert_promised(bootstrap: str, topics: list[str], ids: list[str], *, may_repeat: bool) -> None:
    """Assert that these runs, and no others, are on the log: whole, in order, once."""
    values: dict[tuple[str, int], bytes] = {}
    repeats: Counter[tuple[str, int]] = Counter()
    order: dict[tuple[str, str], list[int]] = defaultdict(list)
    events: list[dict[str, Any]] = []
    for topic in topics:
        for record in sorted(read_topic(bootstrap, topic), key=lambda each: each.offset):
            event = wire.decode(record.value)[1]
            if "seq" not in event:
                continue
            identity = (event["run_id"], event["seq"])
            if values.setdefault(identity, record.value) is not record.value:
                repeats[identity] += 1
                assert values[identity] == record.value
                continue
            order[topic, event["run_id"]].append(event["seq"])
            events.append(event)
    assert may_repeat or not repeats
    assert all(seqs == sorted(seqs) for seqs in order.values())
    assert_whole(events)
    assert Counter(each["run_id"] for each in events) == Counter(ids * (STEPS_A_RUN + 2))
