"""Which log a cluster holds: a log keeps its id wherever it moves. Pure.

A log is called by the cluster that it began on. When it moves, with its topics and offsets, the
last record of `control` that moves with it says so (`log_moved`). So coordinates, insert tokens and
rows stay what they were, and the old cluster's copy is told from the log by anyone who reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tailrace.schemas.errors import TailraceError
from tailrace.schemas.wire import WireError, decode

if TYPE_CHECKING:
    from collections.abc import Iterable


class LogMovedAwayError(TailraceError):
    """The log that this broker holds lives on another cluster now."""


@dataclass(frozen=True)
class Move:
    """One `log_moved` record."""

    old_cluster_id: str
    new_cluster_id: str


@dataclass(frozen=True)
class Lineage:
    """The clusters that a log has lived on."""

    clusters: tuple[str, ...]
    """Their ids, oldest first; the last one is where it lives."""

    @property
    def log_id(self) -> str:
        """The log's id: that of the cluster it began on."""
        return self.clusters[0]


def as_move(value: bytes | None) -> Move | None:
    """Return the move that a record of `control` tells of; None if it is another record."""
    try:
        schema, fields = decode(value or b"")
    except WireError:
        return None
    if schema.name != "log_moved":
        return None
    return Move(fields["old_cluster_id"], fields["new_cluster_id"])


def lineage(cluster_id: str, moves: Iterable[Move]) -> Lineage:
    """Return the lineage of the log that a cluster holds.

    Args:
        cluster_id: of the cluster that was asked.
        moves: what its `control` says, in order.

    Raises:
        LogMovedAwayError: if the log lives on another cluster by the last of them.
    """
    found = list(moves)
    if not found:
        return Lineage((cluster_id,))
    lives_on = found[-1].new_cluster_id
    if lives_on != cluster_id:
        raise LogMovedAwayError(
            f"the log at this broker (cluster {cluster_id}) moved to the cluster {lives_on}, and "
            "what is written here is in nobody's tables: point TAILRACE_KAFKA there"
        )
    return Lineage((found[0].old_cluster_id, *(move.new_cluster_id for move in found)))
