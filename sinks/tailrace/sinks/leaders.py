"""Has a consumer learn the leaders of many partitions by one question.

Asked for offsets of topics that it does not know, aiokafka asks for their metadata topic by topic,
and waits a tenth of a second after each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

    from aiokafka import TopicPartition


def learn_leaders(consumer: Any, partitions: Collection[TopicPartition]) -> None:
    """Tell a started consumer that reads nothing yet which partitions it will be asked about."""
    if partitions:
        consumer.assign(list(partitions))
        consumer.pause(*partitions)  # before anything is fetched
