"""What a stack does once its servers serve and before it counts as running: topics, then tables."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tailrace.console.local.members import Endpoints, Step

if TYPE_CHECKING:
    from tailrace.console.local.folder import DataFolder


def topics_step(_: DataFolder) -> Step:
    """Return the step that creates the topics that are missing.

    A topic whose settings were changed on purpose stays as it is; `tailrace topics apply` names
    every difference.
    """
    return Step("topics", _apply_topics)


def tables_step(_: DataFolder) -> Step:
    """Return the step that brings the tables up to date."""
    return Step("tables", _migrate)


def _apply_topics(endpoints: Endpoints) -> None:
    from tailrace.schemas.endpoints import kafka_options  # noqa: PLC0415 - aiokafka, 0.2 s
    from tailrace.schemas.topic_admin import apply  # noqa: PLC0415 - the same

    asyncio.run(apply(options=kafka_options(endpoints.kafka)))


def _migrate(endpoints: Endpoints) -> None:
    from tailrace.sinks.clickhouse import connect  # noqa: PLC0415 - clickhouse-connect, 0.2 s
    from tailrace.sinks.migrations import migrate  # noqa: PLC0415 - the same

    migrate(connect(endpoints.clickhouse))
