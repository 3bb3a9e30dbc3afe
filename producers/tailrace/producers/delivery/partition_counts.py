"""How many partitions the topics have that a client writes to, as the broker says at open."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tailrace.producers.delivery.outlet import MissingTopicsError
from tailrace.schemas.topics import BODIES, CONTROL, RUNS, SCHEMAS, SCORES, STEPS, Topic

if TYPE_CHECKING:
    from collections.abc import Mapping

WRITTEN: tuple[Topic, ...] = (RUNS, STEPS, BODIES, CONTROL, SCORES, SCHEMAS)
"""The topics that a client writes to."""

_PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8)


async def partition_counts(
    client: Any, prefix: str | None, servers: object, wait_s: float
) -> Mapping[Topic, int]:
    """Ask for all topics at once, until they are there.

    A broker that creates topics by itself does so when it is asked, and has them a little later; of
    one that does not, all that is to be seen is that they do not come.

    Args:
        client: a started aiokafka client.
        prefix: the topics' prefix; the configured one when None.
        servers: how the broker is named in an error.
        wait_s: how long a topic may take to appear.

    Raises:
        MissingTopicsError: if one is not there by then, or may not be seen.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + wait_s
    names = {topic: topic.name(prefix) for topic in WRITTEN}
    await client.set_topics(names.values())
    cluster = client.cluster
    attempt = 0
    while missing := [name for name in names.values() if not cluster.partitions_for_topic(name)]:
        if cluster.unauthorized_topics.intersection(missing) or loop.time() > until:
            _refuse(servers, missing, cluster.unauthorized_topics)
        await asyncio.sleep(_PAUSES_S[min(attempt, len(_PAUSES_S) - 1)])
        attempt += 1
        await client.force_metadata_update()
    return {
        topic: 1 if topic.single_partition else len(cluster.partitions_for_topic(name))
        for topic, name in names.items()
    }


def _refuse(servers: object, missing: list[str], unauthorized: set[str]) -> None:
    hidden = [name for name in missing if name in unauthorized]
    if hidden:
        raise MissingTopicsError(
            f"Kafka at {servers} does not let this client use {', '.join(hidden)}: grant it "
            "Describe and Write there"
        )
    raise MissingTopicsError(
        f"Kafka at {servers} has no topic {', '.join(missing)}, and creates none by itself: "
        "`tailrace topics apply` creates them"
    )
