"""The record `body`, as it lies on the log."""

from typing import ClassVar

from pydantic import AwareDatetime

from tailrace.schemas.records.base import Record


class Body(Record):
    """A large or repeated payload, named by its content.

    Sent once a process and content; the same content twice is the same body.
    """

    schema_name: ClassVar[str] = "body"

    sha256: str
    """SHA-256 of the content's UTF-8 bytes, 64 hex digits; the record's key."""

    trace_id: str
    """The trace that sent it first, or sent it again after it could have been forgotten."""

    ts: AwareDatetime
    """When it was sent, by the producer's clock, microseconds since the epoch, UTC."""

    content: str
    """The payload as JSON."""
