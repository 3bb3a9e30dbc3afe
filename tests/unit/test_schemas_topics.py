"""What is declared of topics, and every way in which a topic on a broker may differ from it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from tailrace.schemas.topic_settings import STANDING_TOPICS, TopicState, declare, plan
from tailrace.schemas.topics import BODIES, CONTROL, REQUESTS, RUNS, SCHEMAS, TOPICS, Topic

if TYPE_CHECKING:
    import pytest

PREFIX = "p."
ONE_BROKER = declare(STANDING_TOPICS, brokers=1, prefix=PREFIX)
THREE_BROKERS = declare(STANDING_TOPICS, brokers=3, prefix=PREFIX)


def state(topic: Topic, states: tuple[TopicState, ...] = ONE_BROKER) -> TopicState:
    (found,) = (state for state in states if state.name == topic.name(PREFIX))
    return found


def by_name(states: tuple[TopicState, ...]) -> dict[str, TopicState]:
    return {state.name: state for state in states}


def test_every_topic_is_declared_once_with_its_key_and_doc() -> None:
    assert len({topic.suffix for topic in TOPICS}) == len(TOPICS)
    assert all(topic.key and topic.doc for topic in TOPICS)


def test_the_prefix_comes_from_the_environment_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAILRACE_PREFIX", raising=False)
    assert RUNS.name() == "tailrace.runs"
    monkeypatch.setenv("TAILRACE_PREFIX", "acme.")
    assert (RUNS.name(), RUNS.name("")) == ("acme.runs", "runs")


def test_a_single_broker_has_four_partitions_and_one_copy() -> None:
    runs = state(RUNS)
    assert (runs.partitions, runs.replication) == (4, 1)
    assert runs.configs["min.insync.replicas"] == "1"


def test_a_cluster_has_32_partitions_and_survives_the_loss_of_one_of_three_copies() -> None:
    runs = state(RUNS, THREE_BROKERS)
    assert (runs.partitions, runs.replication) == (32, 3)
    assert runs.configs["min.insync.replicas"] == "2"


def test_what_is_told_wins_but_a_single_order_stays_single() -> None:
    told = declare(STANDING_TOPICS, brokers=3, prefix=PREFIX, partitions=7, replication=2)
    assert (state(RUNS, told).partitions, state(RUNS, told).replication) == (7, 2)
    assert state(CONTROL, told).partitions == 1


def test_the_brokers_append_time_is_the_time_of_every_topic() -> None:
    assert {s.configs["message.timestamp.type"] for s in ONE_BROKER} == {"LogAppendTime"}


def test_retention_follows_the_declaration() -> None:
    month = str(30 * 24 * 3600 * 1000)
    found = {t.suffix: state(t).configs for t in (RUNS, CONTROL, SCHEMAS)}
    policies = {name: (c["cleanup.policy"], c["retention.ms"]) for name, c in found.items()}
    assert policies == {
        "runs": ("delete", month),
        "control": ("delete", "-1"),
        "schemas": ("compact", "-1"),
    }


def test_a_dead_letter_may_be_longer_than_the_longest_record_that_it_holds() -> None:
    sizes = {s.name: int(s.configs["max.message.bytes"]) for s in ONE_BROKER}
    assert sizes.pop("p.dead_letters") >= max(sizes.values()) + 2**20


def test_requests_is_a_stem_and_stands_for_no_topic_of_its_own() -> None:
    assert {*STANDING_TOPICS, REQUESTS} == set(TOPICS)
    assert REQUESTS not in STANDING_TOPICS


@given(st.sampled_from([1, 2, 3, 9]), st.none() | st.integers(1, 100))
def test_a_broker_in_order_differs_in_nothing(brokers: int, partitions: int | None) -> None:
    declared = declare(STANDING_TOPICS, brokers=brokers, prefix=PREFIX, partitions=partitions)
    strangers = {"other": TopicState("other", 1, 1)}
    assert plan(declared, by_name(declared) | strangers) == ()


@given(st.sets(st.sampled_from(ONE_BROKER).map(lambda s: s.name)))
def test_exactly_the_missing_topics_are_to_be_created(gone: set[str]) -> None:
    there = {name: state for name, state in by_name(ONE_BROKER).items() if name not in gone}
    found = plan(ONE_BROKER, there)
    assert {difference.topic for difference in found} == gone
    assert {difference.remedy for difference in found} <= {"create"}


def test_partitions_are_left_to_people_and_the_sentence_says_why() -> None:
    there = by_name(ONE_BROKER) | {"p.runs": replace(state(RUNS), partitions=2)}
    (found,) = plan(ONE_BROKER, there)
    assert (found.what, found.remedy) == ("partitions", "by hand")
    assert "p.runs: partitions is 2, declared is 4; partitions are never added" in str(found)
    assert "keys would move" in str(found)


def test_copies_are_left_to_people() -> None:
    there = by_name(ONE_BROKER) | {"p.runs": replace(state(RUNS), replication=3)}
    (found,) = plan(ONE_BROKER, there)
    assert (found.what, found.remedy) == ("replication", "by hand")
    assert "kafka-reassign-partitions" in str(found)


def test_each_setting_that_differs_is_named_and_others_are_nobodys_business() -> None:
    configs = {**state(BODIES).configs, "retention.ms": "5", "flush.ms": "9"}
    del configs["compression.type"]
    there = by_name(ONE_BROKER) | {"p.bodies": replace(state(BODIES), configs=configs)}
    found = plan(ONE_BROKER, there)
    assert [(d.what, d.existing, d.remedy) for d in found] == [
        ("retention.ms", "5", "alter"),
        ("compression.type", "unknown", "alter"),
    ]
    assert str(found[0]).endswith("change it with --fix")
