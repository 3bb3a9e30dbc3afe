"""Which recorded step a step of a replay is, where chance decides the order in which steps begin.

In a branch, steps of one label are told apart by their ordinals, in the order in which they began.
Where threads of the agent's own began them that order is chance: the run's last event names such
groups of siblings (`told`), and a replay finds their members by what they were given (`Siblings`).
Only members that were given the same, at the same time, cannot be told apart: that run says that it
is not replayable. Why it is so: design/013-siblings.md.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

UNORDERED = "tailrace.unordered"
"""The attribute of a run's last event: keys without ordinals, with a space between them."""


def told(groups: Iterable[str]) -> dict[str, str]:
    """Return the attributes that name the groups: keys of steps without their ordinals."""
    text = " ".join(sorted(groups))
    return {UNORDERED: text} if text else {}


def groups_of(attributes: Mapping[str, str]) -> frozenset[str]:
    """Return the groups that the attributes of a run's last event name."""
    return frozenset(attributes.get(UNORDERED, "").split())


def group_of(key: str) -> str:
    """Return a step's key without its ordinal: what it has in common with its siblings."""
    return key.rpartition("#")[0]


class Siblings:
    """The recorded steps of a run as a replay takes them up again, each once.

    Not thread-safe: the replaying run has a lock.
    """

    def __init__(self, steps: Iterable[tuple[str, str]], unordered: Iterable[str] = ()) -> None:
        """Take up a record.

        Args:
            steps: key and input digest of every recorded step.
            unordered: the groups whose order was chance, see `groups_of`.
        """
        self._unordered = frozenset(unordered)
        self._left: dict[tuple[str, str], deque[str]] = defaultdict(deque)
        self._recorded: dict[str, int] = defaultdict(int)
        self._begun: dict[str, int] = defaultdict(int)
        for key, digest in sorted(steps, key=_by_ordinal):
            group = group_of(key)
            self._recorded[group] += 1
            self._left[group, digest].append(key)

    def enter(self, group: str, digest: str) -> str:
        """Return the key of the step that begins now: the recorded one's, if it is in the record.

        Of an unordered group it is the first one left that was given the same, whenever it begins;
        one that was given what none of them was gets a key that the record does not have. In every
        other group the ordinal alone counts, as when the run was recorded.

        Args:
            group: the step's key without its ordinal, below the key of the step that called it.
            digest: its input digest.
        """
        if group not in self._unordered:
            ordinal = self._begun[group]
            self._begun[group] += 1
            return f"{group}#{ordinal}"
        left = self._left[group, digest]
        if left:
            return left.popleft()
        ordinal = self._recorded[group] + self._begun[group]
        self._begun[group] += 1
        return f"{group}#{ordinal}"


def _by_ordinal(step: tuple[str, str]) -> tuple[str, int]:
    group, _, ordinal = step[0].rpartition("#")
    return group, int(ordinal)
