"""What a broker's own log says is turned into what a person can do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies

from tailrace.console.local.kafka_failures import failure_sentence, port_was_taken
from tailrace.console.local.kafka_format import new_id

if TYPE_CHECKING:
    import uuid

LOG = Path("/data/logs/kafka.log")


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (
            "KafkaException: failed to bind: Address already in use.",
            "choose another with --kafka-port",
        ),
        ("java.io.IOException: No space left on device", "the disk is full: free some space"),
        ("java.nio.file.AccessDeniedException: /data", "check who owns it"),
        ("Error: Could not reserve enough space for object heap", "not enough memory"),
        ("java.io.IOException: Read-only file system", "on a read-only disk"),
    ],
)
def test_a_known_cause_becomes_one_sentence_with_a_remedy(output: str, said: str) -> None:
    sentence = failure_sentence(f"some line\n{output}\nat kafka.Kafka", LOG)
    assert said in sentence
    assert str(LOG) in sentence
    assert "\n" not in sentence


def test_an_unknown_cause_shows_the_last_lines_and_the_log() -> None:
    sentence = failure_sentence("\n".join(f"line {number}" for number in range(9)), LOG)
    assert sentence.splitlines()[1:] == [f"line {number}" for number in range(4, 9)]
    assert str(LOG) in sentence
    assert failure_sentence("", LOG) == f"Kafka did not start, see {LOG}"
    assert not port_was_taken(sentence)


@given(strategies.uuids())
def test_an_id_of_kafkas_is_never_taken_for_an_option(source: uuid.UUID) -> None:
    made = new_id(source)
    assert len(made) == 22
    assert not made.startswith("-")
