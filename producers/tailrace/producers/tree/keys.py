"""Step keys: a step's stable name in its run, such as `plan#0/search#2`. Pure.

A key is the path of labels from the run to the step, each with its ordinal among siblings of the
same label *within a branch*. A task opens a branch `@n`, numbered by its parent when the task is
made, so that what runs at the same time never competes for an ordinal: `plan#0/@1/search#0`. Where
two siblings of one label do overlap in one branch (raw threads), or different threads begin them,
their ordinals may be chance: that is said, and `matching` finds them again by what they were given.
"""

from __future__ import annotations

import re
from threading import get_ident

_SPECIAL = re.compile(r"[%/#:@\s]")


def label(name: str, key: str = "") -> str:
    """Return a step's label: its name, and its explicit key if it has one, safely quoted."""
    quoted = quote(name)
    return f"{quoted}:{quote(key)}" if key else quoted


def quote(text: str) -> str:
    """Return the text with what has a meaning in keys percent-encoded as UTF-8."""
    if text.isidentifier():
        return text
    return _SPECIAL.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), text)


class Branch:
    """One line of execution below a run or a step. Not thread-safe: its run has a lock."""

    __slots__ = ("_branches", "_counts", "path")

    def __init__(self, path: str = "") -> None:
        self.path = path
        """What the keys of its steps begin with; empty or ending in a slash."""

        # Label -> how many began, how many are open, which thread began the last of them. Most
        # branches stay empty.
        self._counts: dict[str, list[int]] | None = None
        self._branches = 0

    def enter(self, name: str) -> tuple[str, bool, bool]:
        """Give the next step of a label its key; the thread that begins the step calls it.

        Also says whether chance may have had a hand in it, since a sibling of the same label is
        still open or was begun by another thread; and whether one is still open.
        """
        counts = self._counts
        if counts is None:
            counts = self._counts = {}
        count = counts.get(name)
        if count is None:
            counts[name] = [1, 1, get_ident()]
            return f"{self.path}{name}#0", False, False
        ordinal, still_open, thread = count
        count[0] = ordinal + 1
        count[1] = still_open + 1
        count[2] = here = get_ident()
        key = f"{self.path}{name}#{ordinal}"
        overlaps = still_open > 0
        return key, overlaps or thread != here, overlaps

    def leave(self, name: str) -> None:
        """Say that a step of a label has ended."""
        assert self._counts is not None, "a step leaves the branch that it entered"
        self._counts[name][1] -= 1

    def fork(self) -> Branch:
        """Open the next branch, for something that runs beside this one."""
        number = self._branches
        self._branches = number + 1
        return Branch(f"{self.path}@{number}/")


def below(key: str) -> Branch:
    """Return the branch of the steps that are called in the step of a key."""
    return Branch(key + "/")
