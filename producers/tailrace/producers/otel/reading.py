"""What an event takes from a span: input, output, use, error, attributes; large parts as bodies.

A span is made by other people's code. Whatever is in it, something is returned: what cannot be read
is left out, and said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tailrace.producers.capture import input_digest, json_of
from tailrace.producers.otel.content import MESSAGES, given, returned
from tailrace.producers.otel.model_use import first_item_us, model_use
from tailrace.producers.otel.nested import items_of
from tailrace.producers.otel.outcome import error_fields
from tailrace.producers.otel.remaining import remaining, text
from tailrace.schemas.payloads import Externalized, externalize_parts, outline

if TYPE_CHECKING:
    from tailrace.producers.otel.span import SpanData
    from tailrace.producers.usage import Usage
    from tailrace.schemas.payloads import ListChain

DEFECT = "otel.defect"
"""The attribute that says why a span could not be read."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a span."""

    given: dict[str, Any]
    """The fields of an event that tell what it was given."""

    ended: dict[str, Any]
    """Those that only its end tells; its error and, in a step, the use of a model."""

    payloads: tuple[Externalized, ...] = ()
    use: Usage | None = None
    attributes: dict[str, str] | None = None
    defect: str = ""
    """Why it could not be read; empty as a rule."""


def read(span: SpanData, kind: str, chain: ListChain) -> Reading:
    """Return what there is in a span. Never raises.

    Args:
        span: as far as it is known; one that still runs has no output.
        kind: the kind of step that it is.
        chain: the memory of message lists, which this extends.
    """
    try:
        return _read(span, kind, chain)
    except Exception as error:  # noqa: BLE001 - other people's data, of any shape
        return Reading({}, {}, attributes={DEFECT: text(repr(error))}, defect=repr(error))


def _read(span: SpanData, kind: str, chain: ListChain) -> Reading:
    parts: dict[str, bytes | list[bytes]] = {
        name: [json_of(item) for item in items_of(part)]
        if name == MESSAGES and isinstance(part, list)
        else json_of(part)
        for name, part in given(span, kind).items()
    }
    use = model_use(span, kind)
    answer = returned(span, kind) if span.end_ns else None
    attributes = remaining(span)
    errors = error_fields(span)
    payload = externalize_parts(parts, chain) if parts else _NOTHING
    output = _NOTHING if answer is None else Externalized(*outline(json_of(answer)))
    ended: dict[str, Any] = {"output": output.text or None, "first_item_us": first_item_us(span)}
    return Reading(
        given={
            "input": payload.text or None,
            "input_digest": input_digest(parts) if parts else "",
            "bodies": (*payload.hashes, *output.hashes),
        },
        ended={**ended, **errors},
        payloads=(payload, output),
        use=use,
        attributes=attributes,
    )


_NOTHING = Externalized(b"")
