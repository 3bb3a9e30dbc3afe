"""The record `dead_letter_decision`, as it lies on the log."""

from typing import ClassVar

from pydantic import AwareDatetime

from tailrace.schemas.records.base import Record


class DeadLetterDecision(Record):
    """What a person decided about a dead letter: it was sent to its topic again, or given up.

    The newest decision of a source's coordinates stands.
    """

    schema_name: ClassVar[str] = "dead_letter_decision"

    source_log_id: str = ""
    """The cluster's id of the log that the dead-lettered record lies in."""

    source_topic: str
    """The topic that it lies in; the decision's key."""

    source_partition: int
    """The partition that it lies in."""

    source_offset: int
    """Its offset in that partition."""

    ts: AwareDatetime
    """When it was decided, microseconds since the epoch, UTC."""

    decision: str
    """What was done: retried or dropped."""

    actor: str = ""
    """Who decided."""

    reason: str = ""
    """Why, in a sentence for people; may be empty."""

    sent_offset: int = -1
    """The offset of the record that was sent again, in the source's topic and partition; -1 when
    none was."""
