"""What a stack is made of: the members that `tailrace up` starts, and what it does around them.

To add something to every stack: a `Step` to `STEPS` (done once both servers serve), or a maker of a
`Member` to `DEPENDENTS` (a worker that needs both). Each entry is a function that takes the data
folder, so that nothing is imported or opened before a stack starts; a dependent may be None, where
what it needs is not installed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tailrace.console.local.clickhouse import ClickHouse
from tailrace.console.local.events import Event, Tell
from tailrace.console.local.folder import DataFolder
from tailrace.console.local.kafka import Kafka
from tailrace.console.local.preparation import tables_step, topics_step
from tailrace.console.local.sink import sink_dependent
from tailrace.console.local.stack import Stack
from tailrace.console.local.stream import stream_dependent

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from tailrace.console.local.members import Dependent, Member, Step

STEPS: tuple[Callable[[DataFolder], Step], ...] = (topics_step, tables_step)
DEPENDENTS: tuple[Callable[[DataFolder], Dependent | None], ...] = (
    sink_dependent,
    stream_dependent,
)

GIVEN_BY = {"kafka": "TAILRACE_KAFKA", "clickhouse": "TAILRACE_CLICKHOUSE"}
"""The variable that names a server of the user's own, for each server of a stack."""


@dataclass(frozen=True)
class StackOptions:
    """What `tailrace up` was told."""

    data: Path
    kafka_port: int | None = None
    """None: last time's if that is free, else any free one."""
    clickhouse_port: int | None = None
    """The same."""


def build_stack(options: StackOptions, tell: Tell) -> Stack:
    """Return a stack that is not started; servers named by the environment are not part of it."""
    folder = DataFolder(options.data)
    given = {
        name: os.environ[variable] for name, variable in GIVEN_BY.items() if variable in os.environ
    }
    members: list[Member] = []
    if "kafka" in given:
        tell(Event("kafka", "given", GIVEN_BY["kafka"]))
    else:
        members.append(
            Kafka(
                folder.kafka,
                folder.logs / "kafka.log",
                port=options.kafka_port,
                progress=lambda done, total: tell(Event("kafka", "fetching", "", done, total)),
            )
        )
    if "clickhouse" in given:
        tell(Event("clickhouse", "given", GIVEN_BY["clickhouse"]))
    else:
        log = folder.logs / "clickhouse.log"
        members.append(ClickHouse(folder.clickhouse, log, port=options.clickhouse_port))
    return Stack(
        folder,
        members,
        given=given,
        steps=[make(folder) for make in STEPS],
        dependents=[made for make in DEPENDENTS if (made := make(folder)) is not None],
        background=() if "kafka" in given else (_train,),
        tell=tell,
    )


def _train(cancelled: threading.Event) -> None:
    from tailrace.console.local.class_training import train_if_missing  # noqa: PLC0415 - aiokafka

    train_if_missing(cancelled)
