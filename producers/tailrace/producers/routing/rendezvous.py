"""Weighted rendezvous hashing: which of several deployments a key goes to. Pure.

Each deployment draws a number in (0, 1) from the salt, its own id and the key, and the largest of
`weight / -ln(number)` wins. So each deployment gets keys in proportion to its weight, a key always
goes to the same one, and where one weight grows at the others' cost, no key leaves what grows.

Method: the logarithmic form of highest random weight (Thaler and Ravishankar 1998; Schindelhauer
and Schomaker 2005 for weights).
"""

from __future__ import annotations

from hashlib import blake2b
from math import log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_DRAWS = 1 << 64


class Arms:
    """The deployments that share a component's new runs, ready to choose from."""

    __slots__ = ("_drawing", "_only")

    def __init__(self, weights: Mapping[str, int], salt: str) -> None:
        """Take the deployments with a weight above 0.

        Args:
            weights: weight of each deployment; only their ratios matter.
            salt: what keeps the keys of one rollout together and apart from another's.
        """
        arms = sorted((name, weight) for name, weight in weights.items() if weight > 0)
        self._only = arms[0][0] if len(arms) == 1 else None
        self._drawing = [
            (name, -weight, blake2b(f"{salt}\x00{name}\x00".encode(), digest_size=8))
            for name, weight in arms
        ]

    def choose(self, key: str) -> str:
        """Return the deployment that a key goes to.

        Args:
            key: the routing key as runs record it, hashed.
        """
        if self._only is not None:
            return self._only
        return max(self.scores(key))[1]

    def scores(self, key: str) -> list[tuple[float, str]]:
        """Return what each deployment draws for a key: the largest takes it."""
        drawn_from = key.encode()
        found: list[tuple[float, str]] = []
        for name, negative_weight, started in self._drawing:
            hashed = started.copy()
            hashed.update(drawn_from)
            drawn = (int.from_bytes(hashed.digest()) + 0.5) / _DRAWS
            # The largest draws round to 1, whose logarithm is 0.
            found.append((negative_weight / (log(drawn) or -1 / _DRAWS), name))
        return found

    def shares(self, keys: Iterable[str]) -> dict[str, int]:
        """Return how many of the keys each deployment gets."""
        found = {name: 0 for name, _, _ in self._drawing}
        for key in keys:
            found[self.choose(key)] += 1
        return found
