"""The place of what a run begins beside itself: a task, a thread, a call handed to an executor."""

from __future__ import annotations

from tailrace.producers.tree.place import Place


def beside(place: Place) -> Place | None:
    """Open a branch for what is begun at a place; None where nothing can be recorded any more.

    Branches are numbered in the order of these calls, so call it where the thing is made. Never
    blocks: in a forked child the parent's run goes on when something is recorded in the branch.
    """
    if place.recording.forked is not None:
        # It needs the client, which needs this.
        from tailrace.producers.tree.forks import beside_in_child  # noqa: PLC0415

        return beside_in_child(place)
    return opened(place)


def opened(place: Place) -> Place | None:
    """Open a branch of a run of this process; None when it has ended."""
    recording = place.recording
    if recording.ended:
        return None
    with recording.lock:
        return Place(recording, place.step, place.branch.fork())
