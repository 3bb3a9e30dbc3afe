"""Says what a run is known to have and what is not stored of it, one sentence a gap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.console.report.amounts import plural
from tailrace.console.report.facts import SHORT_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.console.report.tree import Run

_NAMED = 3
"""Missing bodies that are named; more are counted."""


def gaps(run: Run, bodies: Mapping[str, str]) -> list[str]:
    """Return the gaps of the run: events, parent, children, bodies; none for a whole run."""
    missing: list[str] = []
    for first, last in run.missing_seqs:
        if first == last:
            missing.append(f"event {first} of the run is not stored")
        else:
            missing.append(f"events {first} to {last} of the run are not stored")
    if run.parent_missing:
        missing.append(f"its parent run {run.fields.parent_run_id} is not stored")
    missing.extend(f"its child run {child} is not stored" for child in run.missing_children)
    lost = run.missing_bodies(bodies)
    if lost:
        shown = ", ".join(digest[:SHORT_ID] for digest in lost[:_NAMED])
        more = ", …" if len(lost) > _NAMED else ""
        verb = "is" if len(lost) == 1 else "are"
        missing.append(f"{plural(len(lost), 'body')} {verb} not stored: {shown}{more}")
    return missing
