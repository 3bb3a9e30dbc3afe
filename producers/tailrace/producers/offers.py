"""Offers: what a run leaves for a process that may continue its work, and what that one claims.

A run cannot know which runs other processes start for it. So it names each invitation it gives
out, in its last event; whoever accepts one names it too. An execution has ended when every offer is
claimed and the claimants have ended, or the offer's time has passed.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tailrace.producers.options import RunOptions
from tailrace.producers.place import PLACE

if TYPE_CHECKING:
    from tailrace.producers.place import Place
    from tailrace.producers.recording import Recording


@dataclass(frozen=True, slots=True)
class Offer:
    """One invitation to be a child run, made in one process and claimed in another."""

    offer_id: str
    """32 hex digits."""

    trace_id: str
    run_id: str
    """The run that made it, which is the claimant's parent."""

    root_run_id: str
    step_id: str = ""
    """The step of that run in which it was made; empty when in none."""

    options: RunOptions = field(default_factory=RunOptions)
    """What the execution was told by its caller, as far as it came along."""


@dataclass(frozen=True, slots=True)
class _Claim:
    offer: Offer
    within: Recording | None
    """The run in progress where the claim was taken up: in a run that began since it is void."""


_CLAIM: ContextVar[_Claim | None] = ContextVar("tailrace_claim", default=None)


def offer_at(place: Place) -> Offer | None:
    """Make an offer of the run at a place; None when it has ended already."""
    recording = place.recording
    offer_id = recording.offer()
    if offer_id is None:
        return None
    return Offer(
        offer_id,
        recording.trace_id,
        recording.run_id,
        recording.root_run_id,
        "" if place.step is None else place.step.step_id,
        recording.options,
    )


def claim(offer: Offer) -> None:
    """Let the runs that this context starts from now on claim an offer."""
    place = PLACE.get()
    _CLAIM.set(_Claim(offer, None if place is None else place.recording))


def claimed() -> Offer | None:
    """Return the offer that a run started here claims; None within a run that began since."""
    found = _CLAIM.get()
    if found is None:
        return None
    place = PLACE.get()
    return found.offer if found.within is (None if place is None else place.recording) else None
