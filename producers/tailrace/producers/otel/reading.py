"""What an event takes from a span: input, output, use, error, attributes; large parts as bodies.

A span is made by other people's code. Whatever is in it, something is returned: what cannot be read
is left out, and said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tailrace.producers.content.capture import input_digest, text_of
from tailrace.producers.otel.content import MESSAGES, given, returned
from tailrace.producers.otel.model_use import first_item_us, model_use
from tailrace.producers.otel.nested import Fields, items_of
from tailrace.producers.otel.outcome import error_fields
from tailrace.producers.otel.remaining import remaining, text
from tailrace.producers.prices import cost_of
from tailrace.schemas.payloads import Externalized, escape, externalize_parts, outline

if TYPE_CHECKING:
    from tailrace.producers.content.usage import Usage
    from tailrace.producers.otel.setting import Setting
    from tailrace.producers.otel.span import SpanData

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


def read(span: SpanData, kind: str, setting: Setting) -> Reading:
    """Return what there is in a span. Never raises.

    Args:
        span: as far as it is known; one that still runs has no output.
        kind: the kind of step that it is.
        setting: what it is recorded with; its memory of message lists is extended.
    """
    try:
        return _read(span, kind, setting)
    except Exception as error:  # noqa: BLE001 - other people's data, of any shape
        why = setting.shown(DEFECT, text(repr(error)))
        return Reading({}, {}, attributes={DEFECT: why}, defect=why)


def _read(span: SpanData, kind: str, setting: Setting) -> Reading:
    redaction = setting.redaction
    parts = _captured(given(span, kind))
    answer = returned(span, kind) if span.end_ns else None
    raw = b"" if answer is None else text_of(answer)
    if redaction is not None:
        parts = redaction.parts(parts)
        raw = redaction.json("output", raw) if raw else raw
    use = _use(span, kind, setting)
    attributes = remaining(span, setting.shown)
    errors = error_fields(span, setting.shown)
    parts = {name: _escaped(part) for name, part in parts.items()}
    payload = externalize_parts(parts, setting.chain) if parts else _NOTHING
    output = Externalized(*outline(escape(raw))) if raw else _NOTHING
    return Reading(
        given={
            "input": payload.text or None,
            "input_digest": input_digest(parts) if parts else "",
            "bodies": (*payload.hashes, *output.hashes),
        },
        ended={
            "output": output.text or None,
            "first_item_us": first_item_us(span),
            **errors,
        },
        payloads=(payload, output),
        use=use,
        attributes=attributes,
    )


def _captured(parts: Fields) -> dict[str, bytes | list[bytes]]:
    return {
        name: [text_of(item) for item in items_of(part)]
        if name == MESSAGES and isinstance(part, list)
        else text_of(part)
        for name, part in parts.items()
    }


def _escaped(part: bytes | list[bytes]) -> bytes | list[bytes]:
    return escape(part) if isinstance(part, bytes) else [escape(item) for item in part]


def _use(span: SpanData, kind: str, setting: Setting) -> Usage | None:
    use = model_use(span, kind)
    if use is not None and use.cost_usd is None and setting.prices is not None:
        use.cost_usd = cost_of(use, setting.prices)
    return use


_NOTHING = Externalized(b"")
