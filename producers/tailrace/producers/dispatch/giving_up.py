"""Requests that are given up to people, as dead letters.

A record that is no request of the deployment, and a request that waits for a person's decision:
`tailrace dead-letters retry` sends it again, and says so in a header; `drop` leaves it.
"""

from __future__ import annotations

from typing import Any

from tailrace.schemas.dead_letter_log import GivenUp
from tailrace.schemas.wire import RETRY_HEADER

NO_REQUEST = "it is no request that this deployment's workers can run"


def is_decided(record: Any) -> bool:
    """Say whether a person has sent a record again."""
    return any(name == RETRY_HEADER for name, _ in record.headers)


def given_up(record: Any) -> GivenUp:
    """Return one of aiokafka's records as its dead letter needs it."""
    return GivenUp("", record.topic, record.partition, record.offset, record.key, record.value)
