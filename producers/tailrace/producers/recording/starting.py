"""How a call of a component becomes a run: where it comes from, its route, its first event."""

from __future__ import annotations

import asyncio
import concurrent.futures
from typing import TYPE_CHECKING, Any

from tailrace.producers.options import OPTIONS
from tailrace.producers.process.guard import guarded
from tailrace.producers.process.open_clients import open_client
from tailrace.producers.recording.recording import Recording
from tailrace.producers.tree.forks import Forked, origin_at
from tailrace.producers.tree.offers import arrival
from tailrace.producers.tree.place import PLACE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.producers.client import Tailrace
    from tailrace.producers.options import RunOptions
    from tailrace.producers.recording.definition import ComponentDefinition
    from tailrace.producers.routing.route import Route
    from tailrace.producers.tree.offers import Offer
    from tailrace.producers.tree.place import Place


def begin_blocking(
    definition: ComponentDefinition, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Recording | None:
    """Begin to record a run; None when no client is open, or recording failed.

    Raises:
        JournalFullError: where nothing more can be kept and the client is to refuse work then.
    """
    client = open_client()
    if client is None or not client.usable():
        return None
    if client.when_full == "raise":
        client.require_room()
    try:
        future = client.routes.of(definition)
        if not future.done():
            concurrent.futures.wait([future], timeout=client.route_wait_s)
        return _started(client, definition, client.routes.now(definition), args, kwargs)
    except Exception as error:  # noqa: BLE001 - recording never breaks the agent
        guarded(client, definition.name, error)
        return None


async def begin(
    definition: ComponentDefinition, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Recording | None:
    """Do what `begin_blocking` does without holding the loop up."""
    client = open_client()
    if client is None or not (client.is_open or await asyncio.to_thread(client.usable)):
        return None
    if client.when_full == "raise":
        client.require_room()
    try:
        future = client.routes.of(definition)
        if not future.done():
            await asyncio.wait([asyncio.wrap_future(future)], timeout=client.route_wait_s)
        return _started(client, definition, client.routes.now(definition), args, kwargs)
    except Exception as error:  # noqa: BLE001 - recording never breaks the agent
        guarded(client, definition.name, error)
        return None


def _started(
    client: Tailrace,
    definition: ComponentDefinition,
    route: Route,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> Recording:
    parent, offer, options = _origin(client)
    recording = Recording(client, definition, route, options, parent=parent, claimed=offer)
    recording.start(args, kwargs)
    return recording


def _origin(client: Tailrace) -> tuple[Place | None, Offer | None, RunOptions]:
    """Say which run this one is started by: one here, one of another process, or none."""
    arrived, offer = arrival()
    if offer is not None:
        return None, offer, offer.options
    place = None if arrived else PLACE.get()
    if place is not None:
        found = origin_at(place)
        if isinstance(found, Forked):
            offer = found.claimed()
            return None, offer, OPTIONS.get() if offer is None else offer.options
        place = found
    if place is None or place.recording.client is not client:
        return None, None, OPTIONS.get()
    return place, None, place.recording.options
