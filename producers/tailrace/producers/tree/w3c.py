"""The W3C forms of a place in a trace: `traceparent`, `tracestate`, `baggage`. Pure.

Reading is for what strangers send: what is malformed or too large reads as nothing, and nothing is
raised. Writing keeps other vendors' members and the limits of the specifications.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from tailrace.producers.options import RunOptions
from tailrace.producers.tree.offers import Offer
from tailrace.schemas.ids import is_id

if TYPE_CHECKING:
    from collections.abc import Iterable

TRACEPARENT, TRACESTATE, BAGGAGE = "traceparent", "tracestate", "baggage"

MEMBER = "tailrace"
"""Our key in tracestate, and what our keys in baggage begin with."""

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")
_STATE = re.compile(r"1-([0-9a-f]{32})-([0-9a-f]{32})-([0-9a-f]{32})-([0-9a-f]{16})?")
_HASH = re.compile(r"[0-9a-f]{32}")
_STATE_MEMBERS = 32
_STATE_CHARACTERS = 512
_BAGGAGE_MEMBERS = 180
_BAGGAGE_BYTES = 8192
MAX_TEXT = 256
"""Characters of a session, a tenant or a tag that are taken from a stranger."""

_MAX_TAGS = 32
_MAX_ATTEMPT = 1_000_000
_MAX_OFFSET = (1 << 63) - 1


def traceparent(offer: Offer) -> str:
    """Return the header that names an offer's trace and, as the span, its step, else its run."""
    span_id = offer.step_id or offer.run_id[-16:]
    if not int(span_id, 16):  # which is no span's; an id of others may end so
        span_id = offer.run_id[:16]
    return f"00-{offer.trace_id}-{span_id}-01"


def trace_of(header: str) -> str:
    """Return the trace id of a `traceparent`; empty if it is malformed."""
    found = _TRACEPARENT.fullmatch(header.strip())
    if found is None:
        return ""
    version, trace_id, span_id, more = found.groups()
    whole = version != "ff" and (version != "00" or more is None)
    return trace_id if whole and is_id(trace_id) and int(span_id, 16) else ""


def tracestate(offer: Offer, others: str) -> str:
    """Return the header with our member in front of other vendors', as many as there is room for.

    Args:
        offer: what is offered.
        others: the header as it stood; empty if there was none.
    """
    kept = [f"{MEMBER}=1-{offer.offer_id}-{offer.run_id}-{offer.root_run_id}-{offer.step_id}"]
    for member in _members(others, _STATE_CHARACTERS * 2):
        if _key(member) != MEMBER:
            kept.append(member)
        if len(kept) > _STATE_MEMBERS or len(",".join(kept)) > _STATE_CHARACTERS:
            kept.pop()
            break
    return ",".join(kept)


def offer_of(trace_id: str, header: str, options: RunOptions) -> Offer | None:
    """Return the offer that a `tracestate` carries; None if it carries none that is well formed."""
    for member in _members(header, _BAGGAGE_BYTES)[:_STATE_MEMBERS]:
        key, _, value = member.partition("=")
        if key.strip() != MEMBER:
            continue
        found = _STATE.fullmatch(value.strip())
        if found is None:
            return None
        offer_id, run_id, root_run_id, step_id = found.groups()
        if not all(map(is_id, (offer_id, run_id, root_run_id))):
            return None
        return Offer(offer_id, trace_id, run_id, root_run_id, step_id or "", options)
    return None


def baggage(offer: Offer, others: str) -> str:
    """Return the header with what the execution was told, and others' members, within the limits.

    What does not fit is left out, tags first.
    """
    options = offer.options
    told = {
        "routing": options.routing_hash(offer.trace_id),
        "session": options.session,
        "tenant": options.tenant,
        "attempt": str(options.attempt) if options.attempt else "",
        "control": str(options.control_offset) if options.control_offset >= 0 else "",
        "tags": ",".join(quote(tag, safe="") for tag in options.tags[:_MAX_TAGS]),
    }
    theirs = [
        member
        for member in _members(others, _BAGGAGE_BYTES)
        if not _key(member).startswith(f"{MEMBER}.")
    ]
    ours = [f"{MEMBER}.{name}={quote(text, safe='')}" for name, text in told.items() if text]
    kept: list[str] = []
    size = 0
    for member in (*theirs[: _BAGGAGE_MEMBERS - len(ours)], *ours):
        if size + len(member) + 1 <= _BAGGAGE_BYTES:
            kept.append(member)
            size += len(member) + 1
    return ",".join(kept)


def options_of(header: str) -> RunOptions:
    """Return what a `baggage` says of the execution, each text bounded."""
    told: dict[str, str] = {}
    for member in _members(header, _BAGGAGE_BYTES)[:_BAGGAGE_MEMBERS]:
        key, _, value = member.partition(";")[0].partition("=")
        if key.strip().startswith(f"{MEMBER}."):
            told.setdefault(key.strip()[len(MEMBER) + 1 :], unquote(value.strip()))
    routing, attempt = told.get("routing", ""), told.get("attempt", "")
    control = _number(told.get("control", ""), _MAX_OFFSET)
    return RunOptions(
        session=_bounded(told.get("session", "")),
        tenant=_bounded(told.get("tenant", "")),
        tags=tuple(_tags(told.get("tags", "").split(",")[:_MAX_TAGS])),
        attempt=_number(attempt, _MAX_ATTEMPT) or 0,
        control_offset=-1 if control is None else control,
        routing_hashed=routing if _HASH.fullmatch(routing) else "",
    )


def _tags(quoted: Iterable[str]) -> Iterable[str]:
    return (_bounded(unquote(tag)) for tag in quoted if tag)


def _number(text: str, largest: int) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(largest))):
        return None
    return min(int(text), largest)


def _bounded(text: str) -> str:
    return text[:MAX_TEXT]


def _members(header: str, characters: int) -> list[str]:
    if len(header) > characters:
        # Cut where a member ends: half a one would say something that nobody said.
        header = header[:characters].rpartition(",")[0]
    return [member.strip() for member in header.split(",") if member.strip()]


def _key(member: str) -> str:
    return member.partition("=")[0].strip()
