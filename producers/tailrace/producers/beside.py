"""The place of what a run begins beside itself: a task, a thread, a call handed to an executor."""

from __future__ import annotations

from tailrace.producers.place import Place


def beside(place: Place) -> Place | None:
    """Open a branch for what is begun at a place; None where nothing can be recorded any more.

    Branches are numbered in the order of these calls, so call it where the thing is made. In a
    forked child the parent's run goes on first, which may block until the client is open there.
    """
    found: Place | None = place
    if place.recording.forked is not None:
        from tailrace.producers.forks import place_here  # noqa: PLC0415 - it needs the client

        found = place_here(place)
    if found is None or found.recording.ended:
        return None
    with found.recording.lock:
        branch = found.branch.fork()
    return Place(found.recording, found.step, branch)
