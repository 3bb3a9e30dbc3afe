"""How a call of a component becomes a run: where it comes from, its route, its first event."""

from __future__ import annotations

import asyncio
import concurrent.futures
from typing import TYPE_CHECKING, Any

from tailrace.producers.options import OPTIONS
from tailrace.producers.process.guard import guarded
from tailrace.producers.process.open_clients import open_client
from tailrace.producers.recording.origin import Origin
from tailrace.producers.recording.recording import Recording
from tailrace.producers.routing.route import RoutingError
from tailrace.producers.tree.forks import Forked, origin_at
from tailrace.producers.tree.offers import arrival
from tailrace.producers.tree.place import PLACE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.producers.client import Tailrace
    from tailrace.producers.recording.definition import ComponentDefinition
    from tailrace.producers.routing.route import Asked


def begin_blocking(
    definition: ComponentDefinition, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Recording | None:
    """Begin to record a run; None when no client is open, or recording failed.

    Raises:
        JournalFullError: where nothing more can be kept and the client is to refuse work then.
        RoutingError: where the environment's pointers do not say, or not to this code.
    """
    client = open_client()
    if client is None or not client.usable():
        return None
    if client.when_full == "raise":
        client.require_room()
    try:
        origin = origin_of(client)
        asked = origin.asked(definition.name, definition)
        waiting = client.routes.waiting(asked)
        if waiting is not None:
            concurrent.futures.wait([waiting], timeout=client.route_wait_s)
        return _started(client, definition, (origin, asked), args, kwargs)
    except RoutingError:
        raise
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
        origin = origin_of(client)
        asked = origin.asked(definition.name, definition)
        waiting = client.routes.waiting(asked)
        if waiting is not None:
            await asyncio.wait([asyncio.wrap_future(waiting)], timeout=client.route_wait_s)
        return _started(client, definition, (origin, asked), args, kwargs)
    except RoutingError:
        raise
    except Exception as error:  # noqa: BLE001 - recording never breaks the agent
        guarded(client, definition.name, error)
        return None


def _started(
    client: Tailrace,
    definition: ComponentDefinition,
    where: tuple[Origin, Asked],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> Recording:
    origin, asked = where
    route = client.routes.route(asked)
    recording = Recording(client, definition, route, origin, trace_id=asked.trace_id)
    recording.start(args, kwargs)
    return recording


def origin_of(client: Tailrace) -> Origin:
    """Return where a run that begins here comes from."""
    arrived, offer = arrival()
    if offer is not None:
        return Origin(offer.options, offer=offer)
    place = None if arrived else PLACE.get()
    if place is not None:
        found = origin_at(place)
        if isinstance(found, Forked):
            offer = found.claimed()
            return Origin(OPTIONS.get() if offer is None else offer.options, offer=offer)
        place = found
    if place is None or place.recording.client is not client:
        return Origin(OPTIONS.get())
    return Origin(place.recording.options, parent=place)
