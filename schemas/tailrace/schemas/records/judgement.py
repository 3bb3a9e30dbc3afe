"""The record `judgement`, as it lies on the log."""

from typing import ClassVar

from pydantic import AwareDatetime

from tailrace.schemas.records.base import Record


class Judgement(Record):
    """A judge's reply, acknowledged on the log before it is used, so that a crash never asks twice.

    One reply of one judge about one content; the first on the log holds.
    """

    schema_name: ClassVar[str] = "judgement"

    judge_digest: str
    """Digest of the judge: its prompt, model, settings and code; first half of the record's key."""

    content_hash: str
    """Hash of what it judged; second half of the record's key."""

    sample: int = 0
    """Number of the reply when the same is asked several times, from 0."""

    judge: str
    """The judge's name."""

    provider: str = ""
    """Who served the model call, such as openai; empty when unknown."""

    model: str = ""
    """The model as the provider names it; empty when unknown."""

    request: str = ""
    """What was sent, as JSON, large values replaced by references to bodies."""

    reply: str = ""
    """What came back, as JSON, large values replaced by references to bodies."""

    bodies: tuple[str, ...] = ()
    """SHA-256 of every body that request and reply name."""

    finish_reason: str = ""
    """Why the model stopped, in the provider's word; empty when unknown."""

    ts: AwareDatetime
    """When the reply came, microseconds since the epoch, UTC."""

    duration_us: int | None = None
    """How long the call took, in microseconds; null when not measured."""

    input_tokens: int | None = None
    """Tokens read by the model, cached ones included; null when unknown."""

    output_tokens: int | None = None
    """Tokens written by the model; null when unknown."""

    cached_tokens: int | None = None
    """Input tokens served from the provider's cache; null when unknown."""

    cost_usd: float | None = None
    """Cost in US dollars; null when unknown."""

    trace_id: str = ""
    """The trace that it was first asked for; empty when for none."""
