"""How much is dispatched and not done, by deployment, as the broker knows it."""

from __future__ import annotations

from dataclasses import dataclass

from tailrace.producers.dispatch.requests import requests_topic, worker_group
from tailrace.schemas.topics import topic_prefix
from tailrace.sinks.gaps.log import open_log


@dataclass(frozen=True)
class WaitingRequests:
    """One deployment's requests."""

    deployment: str
    sent: int
    """How many records its topic has had."""

    waiting: int
    """How many of them no worker has committed."""

    workers: int
    """How many workers its group has now."""


async def waiting_requests(
    kafka: str | None = None, prefix: str | None = None
) -> list[WaitingRequests]:
    """Return what waits in every requests topic.

    Args:
        kafka: bootstrap servers; the configured ones when None.
        prefix: of the topics' names; the configured one when None.

    Raises:
        LogUnreadableError: if the broker does not answer.
    """
    told = topic_prefix() if prefix is None else prefix
    stem = requests_topic("").name(told)
    found: list[WaitingRequests] = []
    async with open_log(kafka, told) as log:
        for name in await log.topics(stem):
            deployment = name[len(stem) :]
            group = worker_group(deployment, told)
            partitions = await log.partitions([name])
            ends, done = await log.ends(partitions), await log.committed(group, partitions)
            waiting = sum(end - done.get(each, 0) for each, end in ends.items())
            workers = await log.members(group)
            found.append(WaitingRequests(deployment, sum(ends.values()), waiting, workers))
    return found
