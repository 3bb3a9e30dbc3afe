"""How a call of a component becomes a run: where it comes from, its route, its first event."""

from __future__ import annotations

import asyncio
import concurrent.futures
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tailrace.producers.options import OPTIONS
from tailrace.producers.process.guard import guarded
from tailrace.producers.process.open_clients import open_client
from tailrace.producers.recording.recording import Recording
from tailrace.producers.routing.route import Asked, RoutingError
from tailrace.producers.tree.forks import Forked, origin_at
from tailrace.producers.tree.offers import arrival
from tailrace.producers.tree.place import PLACE
from tailrace.schemas.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.producers.client import Tailrace
    from tailrace.producers.options import RunOptions
    from tailrace.producers.recording.definition import ComponentDefinition
    from tailrace.producers.tree.offers import Offer
    from tailrace.producers.tree.place import Place


@dataclass(frozen=True, slots=True)
class _Origin:
    """Which run a new one is started by: one here, one of another process, or none."""

    parent: Place | None
    offer: Offer | None
    options: RunOptions

    def asked(self, definition: ComponentDefinition) -> Asked:
        """Return what the new run is routed by."""
        options, trace_id = self.options, self.trace_id
        if self.parent is None:
            as_of, routing_hash = options.control_offset, options.routing_hash(trace_id)
        else:
            root = self.parent.recording.root
            as_of, routing_hash = root.control_offset, root.constant["routing_key"]
        return Asked(definition, trace_id, routing_hash, as_of, options.deployment)

    @property
    def trace_id(self) -> str:
        """The trace it belongs to; a new one where none is told."""
        if self.offer is not None:
            return self.offer.trace_id
        if self.parent is not None:
            return self.parent.recording.trace_id
        return self.options.trace_id or new_id()


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
        origin = _origin(client)
        asked = origin.asked(definition)
        waiting = client.routes.waiting(asked)
        if waiting is not None:
            concurrent.futures.wait([waiting], timeout=client.route_wait_s)
        return _started(client, origin, asked, args, kwargs)
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
        origin = _origin(client)
        asked = origin.asked(definition)
        waiting = client.routes.waiting(asked)
        if waiting is not None:
            await asyncio.wait([asyncio.wrap_future(waiting)], timeout=client.route_wait_s)
        return _started(client, origin, asked, args, kwargs)
    except RoutingError:
        raise
    except Exception as error:  # noqa: BLE001 - recording never breaks the agent
        guarded(client, definition.name, error)
        return None


def _started(
    client: Tailrace,
    origin: _Origin,
    asked: Asked,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> Recording:
    recording = Recording(
        client,
        asked.definition,
        client.routes.route(asked),
        origin.options,
        parent=origin.parent,
        claimed=origin.offer,
        trace_id=asked.trace_id,
    )
    recording.start(args, kwargs)
    return recording


def _origin(client: Tailrace) -> _Origin:
    arrived, offer = arrival()
    if offer is not None:
        return _Origin(None, offer, offer.options)
    place = None if arrived else PLACE.get()
    if place is not None:
        found = origin_at(place)
        if isinstance(found, Forked):
            offer = found.claimed()
            return _Origin(None, offer, OPTIONS.get() if offer is None else offer.options)
        place = found
    if place is None or place.recording.client is not client:
        return _Origin(None, None, OPTIONS.get())
    return _Origin(place, None, place.recording.options)
