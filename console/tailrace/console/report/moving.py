"""What a move of the log would do and what it did, in lines for people."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tailrace.console.report.amounts import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace.console.moving.commits import Commits
    from tailrace.console.moving.moving import Moved
    from tailrace.console.moving.plan import Plan


def plan_lines(plan: Plan, commits: Commits) -> Iterator[str]:
    """Yield what a move would do: a line a topic, then what it costs and what it needs."""
    if plan.stage == "moved":
        yield "the log lives on the new cluster already: nothing is left to move"
        return
    missing = plan.missing()
    by_topic: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for partition, (first, end) in missing.items():
        counts = by_topic[partition.topic]
        counts[0] += 1
        counts[1] += max(0, end - first)
    for topic, (partitions, offsets) in sorted(by_topic.items()):
        yield f"{topic}: {plural(partitions, 'partition')}, {plural(offsets, 'offset')} to copy"
    total = sum(offsets for _, offsets in by_topic.values())
    yield f"to copy: {plural(total, 'offset')} of {plural(len(by_topic), 'topic')}"
    if below := plan.below_beginnings:
        yield (
            f"of these below a beginning: {below:,}; offsets are counted from 0, so as many "
            "fillers are written and deleted again"
        )
    groups = ", ".join(f"{group} ({len(entries)})" for group, entries in commits.items())
    yield f"commits to move: {groups or 'none'}"
    for partition in plan.held_back:
        yield (
            f"a transaction is open on {partition.topic}-{partition.partition}: what it holds back "
            "is copied once it has ended"
        )


def moved_lines(moved: Moved, to: str) -> Iterator[str]:
    """Yield what a move did, and what is to be done next."""
    amounts = moved.amounts
    fillers = f", {amounts.fillers:,} of them fillers" if amounts.fillers else ""
    yield f"copied: {plural(amounts.copied, 'offset')}{fillers}"
    yield f"compared and equal: {plural(amounts.records, 'record')}"
    if moved.groups:
        yield f"commits moved: {', '.join(moved.groups)}"
    if moved.switched:
        yield (
            f"the log lives on the new cluster: set TAILRACE_KAFKA={to} for all that write to it "
            "and read from it, and stop the old cluster"
        )
        return
    left = sum(max(0, end - first) for first, end in moved.plan.missing().values())
    if left:
        yield f"written since: {plural(left, 'offset')}; the old cluster is in use"
    yield "the log still lives on the old cluster: stop who uses it, then run this with --switch"
