"""Offers: what a run leaves for a process that may continue its work, and what that one claims.

A run cannot know which runs other processes start for it. So it names each invitation it gives
out, in its last event; whoever accepts one names it too. An execution has ended when every offer is
claimed and the claimants have ended, or the offer's time has passed.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tailrace.producers.options import RunOptions
from tailrace.producers.tree.place import PLACE

if TYPE_CHECKING:
    from collections.abc import Generator

    from tailrace.producers.recording.recording import Recording
    from tailrace.producers.tree.place import Place


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
    offer: Offer | None
    """None: the runs that begin here are root runs."""

    within: Recording | None
    """The run in progress where it was taken up: in a run that began since, it is void."""


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
        recording.shown_options,
    )


@contextmanager
def claiming(offer: Offer | None, *, afresh: bool) -> Generator[None]:
    """Let the runs that begin in the block claim an offer, or be root runs if there is none.

    Args:
        offer: what is claimed.
        afresh: False changes nothing.
    """
    if not afresh:
        yield
        return
    token = _CLAIM.set(_Claim(offer, _run_in_progress()))
    try:
        yield
    finally:
        _CLAIM.reset(token)


def arrival() -> tuple[bool, Offer | None]:
    """Say whether a run that begins here came from another process, and what it claims then."""
    found = _CLAIM.get()
    if found is None or found.within is not _run_in_progress():
        return False, None
    return True, found.offer


def _run_in_progress() -> Recording | None:
    place = PLACE.get()
    return None if place is None else place.recording
