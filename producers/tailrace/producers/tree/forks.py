"""Forked processes: what a child does with the client and the run that it was forked with.

A child has none of its parent's threads, and a lock that one of them held stays locked in it for
ever. So nothing of the parent's is used there: its runs are left to it, untouched, and the client
opens a sender of its own when the child first records. A fork within a run makes an offer in the
parent. What the child records in the parent's run becomes a child run that claims it: a component
called there, or, for steps, a run of the same component that ends with the child.
"""

from __future__ import annotations

import inspect
import os
import threading
from functools import cached_property
from typing import TYPE_CHECKING, cast
from weakref import WeakSet

from tailrace.producers.process.guard import guarded
from tailrace.producers.process.open_clients import OPEN
from tailrace.producers.recording.definition import ComponentDefinition, StepDefinition
from tailrace.producers.recording.origin import Origin
from tailrace.producers.recording.recording import Recording
from tailrace.producers.tree.beside import opened
from tailrace.producers.tree.fork_watch import ForkWatch
from tailrace.producers.tree.keys import Branch
from tailrace.producers.tree.offers import offer_at
from tailrace.producers.tree.place import PLACE, Place
from tailrace.schemas.catalog import Schema

if TYPE_CHECKING:
    from types import FrameType

    from tailrace.producers.tree.offers import Offer

_MADE: dict[int, tuple[Offer, ForkWatch | None]] = {}
"""The offer of a thread that is forking, by its id, which is the same in the child."""

_call: tuple[FrameType, int] | None = None
"""In a forked child: the call of fork that it came from, until that was seen to have returned."""


_forked: WeakSet[Forked] = WeakSet()
"""Every one there is. In a child's own child their locks have to be free, too."""


class Forked:
    """How a parent's run goes on in this child."""

    __slots__ = ("__weakref__", "branch", "goes_on", "lock", "offer", "watch")

    def __init__(self, offer: Offer | None, watch: ForkWatch | None = None) -> None:
        self.offer = offer
        """What its child runs claim; None for a run that another thread was in."""

        self.watch = watch
        self.lock = threading.Lock()
        self.goes_on: Recording | None = None
        self.branch = Branch()
        """The outermost branch of the run as it goes on, which may be opened before it does."""
        _forked.add(self)

    def claimed(self) -> Offer | None:
        """Return the offer, to be claimed at once."""
        if self.watch is not None:
            self.watch.claim()
        return self.offer


class PlaceInChild(Place):
    """What a child has begun beside a run of its parent's that does not go on there yet.

    Most of it never records anything: so only the branch is opened here, and the offer is claimed
    by the first thing that is recorded in it.
    """

    __slots__ = ()


def beside_in_child(place: Place) -> Place | None:
    """Open a branch for what is begun, in this child, at a place of a parent's run.

    None where nothing can be recorded any more, and for what libraries start in every forked child:
    it would take numbers that the run's own branches have elsewhere. Never blocks on Kafka, claims
    nothing.
    """
    if _still_in_fork():
        return None
    recording = place.recording
    while recording.forked is not None:
        forked = recording.forked
        with forked.lock:
            if forked.goes_on is None:
                if forked.offer is None:
                    return None
                return PlaceInChild(recording, None, forked.branch.fork())
        recording = forked.goes_on
        place = recording.place
    return opened(place)


def _still_in_fork() -> bool:
    """Say whether this is called by a handler that another library has for forked children."""
    global _call  # noqa: PLW0603 - a process has one call of fork that it came from
    if _call is None:
        return False
    forking, instruction = _call
    frame = inspect.currentframe()
    while frame is not None and frame is not forking:
        frame = frame.f_back
    if frame is not None and frame.f_lasti == instruction:
        return True
    if frame is not None or threading.current_thread() is threading.main_thread():
        _call = None  # fork has returned: who called it has gone on, or is gone
    return False


def continuation(recording: Recording) -> Recording | None:
    """Return the run as it goes on in this process, itself as a rule; None when it does not."""
    found: Recording | None = recording
    while found is not None and found.forked is not None:
        found = found.forked.goes_on
    return found


def origin_at(place: Place) -> Place | Forked | None:
    """Return what a run started at a place is a child of; None when it is a root run."""
    recording = place.recording
    while recording.forked is not None:
        if recording.forked.goes_on is None:
            return recording.forked
        recording = recording.forked.goes_on
        place = recording.place
    return None if recording.ended else place


def place_here(place: Place) -> Place | None:
    """Return where a step called at a place of a parent's run is recorded in this process.

    The first one begins the run's continuation; blocks until the client is open here.
    """
    recording = place.recording
    begun_here = place.branch if isinstance(place, PlaceInChild) else None
    while recording.forked is not None:
        forked = recording.forked
        with forked.lock:
            if forked.goes_on is None:
                forked.goes_on = _gone_on(recording, forked)
        if forked.goes_on is None:
            return None
        recording = forked.goes_on
        place = recording.place if begun_here is None else Place(recording, None, begun_here)
        begun_here = None
    return None if recording.ended or not recording.client.is_open else place


def _gone_on(recording: Recording, forked: Forked) -> Recording | None:
    client = recording.client
    if forked.offer is None or not client.usable():
        return None
    try:
        offer = forked.claimed()
        # A run keeps its route to its end.
        origin = Origin(recording.options, offer=offer)
        goes_on = Recording(client, recording.definition, recording.route, origin)
        goes_on.place = Place(goes_on, None, forked.branch)
        goes_on.start((), {})
    except Exception as error:  # noqa: BLE001 - recording never breaks the agent
        guarded(client, recording.definition.name, error)
        return None
    client.continuations.append(goes_on)
    return goes_on


def _before() -> None:
    place = PLACE.get()
    if place is None:
        return
    found = origin_at(place)
    offer = offer_at(found) if isinstance(found, Place) else None
    if offer is None or not isinstance(found, Place):
        return
    try:
        watch = ForkWatch()
    except OSError:  # without it the offer stays open until its time has passed
        watch = None
    else:
        found.recording.fork_watches[offer.offer_id] = watch
    _MADE[threading.get_ident()] = (offer, watch)


def _after_in_parent() -> None:
    _, watch = _MADE.pop(threading.get_ident(), (None, None))
    if watch is not None:
        watch.leave_to_child()


def _free_lazy_values() -> None:
    """Free the locks that values computed at first use have before Python 3.12."""
    for owner in (StepDefinition, ComponentDefinition, Schema):
        for value in vars(owner).values():
            if isinstance(value, cached_property):
                held = vars(cast("cached_property[object]", value))
                if "lock" in held:
                    held["lock"] = threading.RLock()


def _after_in_child() -> None:
    global _call  # noqa: PLW0603 - as above
    here = inspect.currentframe()
    if here is not None and here.f_back is not None:
        _call = (here.f_back, here.f_back.f_lasti)
    _free_lazy_values()
    for forked in list(_forked):
        forked.lock = threading.Lock()
    offer, watch = _MADE.pop(threading.get_ident(), (None, None))
    _MADE.clear()
    for client in OPEN:
        for recording in client.recordings.values():
            mine = offer is not None and offer.run_id == recording.run_id
            recording.leave(Forked(offer, watch) if mine else Forked(None))
        client.leave_parent()


os.register_at_fork(
    before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
)
