"""Values that differ each time, as steps of kind `value`: a replay gives what was recorded.

They are recorded as JSON has them, so that a replay gives exactly the same again.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from random import SystemRandom
from uuid import UUID

from tailrace.producers.step import step

_RANDOM = SystemRandom()  # like os.urandom: never the same in a forked child, whatever was seeded


@step(name="now", kind="value", effect="read")
def now() -> str:
    """Return the time in UTC, in ISO 8601 with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


@step(name="random", kind="value", effect="read")
def random() -> float:
    """Return a number from 0 up to, not including, 1."""
    return _RANDOM.random()


@step(name="uuid", kind="value", effect="read")
def uuid() -> str:
    """Return a random UUID, version 4."""
    return str(UUID(bytes=os.urandom(16), version=4))
