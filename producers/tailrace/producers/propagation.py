"""A trace across processes: W3C headers written into what is sent, and taken up where it arrives.

The bytes are `w3c`'s, the sorts of headers `headers`'.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar, overload

from tailrace.producers.options import OPTIONS
from tailrace.producers.process.guard import guarded
from tailrace.producers.process.open_clients import open_client
from tailrace.producers.tree import w3c
from tailrace.producers.tree.forks import place_here
from tailrace.producers.tree.headers import found_in, put
from tailrace.producers.tree.offers import claiming, offer_at
from tailrace.producers.tree.place import PLACE

if TYPE_CHECKING:
    from collections.abc import Generator, MutableMapping

    from tailrace.producers.tree.headers import Headers
    from tailrace.producers.tree.offers import Offer

H = TypeVar("H", bound="MutableMapping[str, str]")


@overload
def inject(headers: dict[str, str], *, baggage: bool = ...) -> dict[str, str]: ...


@overload
def inject(headers: H, *, baggage: bool = ...) -> H: ...


def inject(headers: H, *, baggage: bool = True) -> H:
    """Offer the current run to the process that gets these headers: its runs become child runs.

    Each call makes one offer, which the run's last event lists, so call it once a message, and only
    for messages to agents that record; an offer that nobody claims holds its execution open for a
    while. Outside of a recorded run nothing is written. Never raises.

    Args:
        headers: what is sent with the message; its `traceparent`, `tracestate` and `baggage` are
            set, other vendors' members of these kept.
        baggage: whether session, tenant, tags and attempt go along. Leave it out towards those who
            must not see them.

    Returns:
        The same headers.
    """
    place = PLACE.get()
    if place is None:
        return headers
    try:
        if place.recording.forked is not None:
            place = place_here(place)
        offer = None if place is None else offer_at(place)
        if offer is not None:
            _write(headers, offer, baggage=baggage)
    except Exception as error:  # noqa: BLE001 - recording never breaks the agent
        client = open_client()
        if client is not None:
            guarded(client, "an offer", error)
    return headers


def _write(headers: MutableMapping[str, str], offer: Offer, *, baggage: bool) -> None:
    before = found_in(headers)
    put(headers, w3c.TRACEPARENT, w3c.traceparent(offer))
    # Another trace's state means nothing in this one.
    same = w3c.trace_of(before.get(w3c.TRACEPARENT, "")) == offer.trace_id
    others = before.get(w3c.TRACESTATE, "") if same else ""
    put(headers, w3c.TRACESTATE, w3c.tracestate(offer, others))
    if baggage:
        put(headers, w3c.BAGGAGE, w3c.baggage(offer, before.get(w3c.BAGGAGE, "")))


@contextmanager
def extract(headers: Headers) -> Generator[None]:
    """Take up the trace that came with a message: components called in the block belong to it.

    With an offer of ours each is a child run of the run that made it, whichever process that is in.
    With a `traceparent` of others it is a root run of their trace. Without one, or with what is
    malformed, nothing changes. What the headers do not say comes from `run_options`, and headers
    are bounded. Never raises.

    Args:
        headers: as they arrived: a mapping of text or bytes, whatever the names' case, pairs as in
            ASGI or Kafka, or a WSGI environment.
    """
    offer, trace_id = _read(headers)
    token = None if not trace_id else OPTIONS.set(replace(OPTIONS.get(), trace_id=trace_id))
    try:
        with claiming(offer, afresh=bool(trace_id)):
            yield
    finally:
        if token is not None:
            OPTIONS.reset(token)


def _read(headers: Headers) -> tuple[Offer | None, str]:
    """Return the offer and the trace id that came; None and empty for what did not."""
    try:
        found = found_in(headers)
        trace_id = w3c.trace_of(found.get(w3c.TRACEPARENT, ""))
        if not trace_id:
            return None, ""
        told = w3c.options_of(found.get(w3c.BAGGAGE, ""))
        here = OPTIONS.get()
        options = replace(
            told,
            session=told.session or here.session,
            tenant=told.tenant or here.tenant,
            tags=(*told.tags, *(tag for tag in here.tags if tag not in told.tags)),
            attempt=told.attempt or here.attempt,
            routing_key=here.routing_key,
            deployment=here.deployment,
        )
        return w3c.offer_of(trace_id, found.get(w3c.TRACESTATE, ""), options), trace_id
    except Exception as error:  # noqa: BLE001 - headers come from strangers
        client = open_client()
        if client is not None:
            guarded(client, "headers that arrived", error)
        return None, ""
