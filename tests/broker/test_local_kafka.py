"""The embedded broker: what it promises to those who start it."""

from __future__ import annotations

from support.log import append, read_all


def test_a_fresh_broker_takes_and_gives_back_a_record(kafka: str, topic_prefix: str) -> None:
    topic = f"{topic_prefix}first"
    append(kafka, topic, [b"one"])
    assert read_all(kafka, topic, count=1) == [b"one"]
