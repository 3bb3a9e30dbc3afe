"""The record `forgotten`, as it lies on the log."""

from typing import ClassVar

from pydantic import AwareDatetime

from tailrace.schemas.records.base import Record


class Forgotten(Record):
    """A trace was erased: what, when and by whom, and nothing of its content.

    What readers and rebuilds must leave out from now on.
    """

    schema_name: ClassVar[str] = "forgotten"

    trace_id: str
    """The trace erased; the record's key."""

    root_run_ids: tuple[str, ...] = ()
    """The executions erased, by their root runs; empty when all of the trace."""

    actor: str
    """The person or automaton that asked for it."""

    reason: str = ""
    """Why, such as the number of a request; never anything of the content."""

    events: int = 0
    """Events erased from the tables."""

    bodies: int = 0
    """Bodies erased because no other trace names them."""

    snapshot_rows: int = 0
    """Snapshot rows erased: named holes from now on."""

    ts: AwareDatetime
    """When it was erased, microseconds since the epoch, UTC."""
