"""How far the requests of each partition are done: what may be committed. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Progress:
    """One partition's requests, taken in the order of their offsets, ended in any."""

    under_way: dict[int, None] = field(default_factory=dict[int, None])
    """Offsets that are being worked on, in their order."""

    taken: int = -1
    """The highest offset taken up."""

    def take(self, offset: int) -> None:
        """Note that a request was taken up."""
        self.under_way[offset] = None
        self.taken = offset

    def end(self, offset: int) -> None:
        """Note that a request is done."""
        self.under_way.pop(offset, None)

    @property
    def position(self) -> int | None:
        """What to commit: the offset of the first that is not done; None before any was taken."""
        if self.taken < 0:
            return None
        return next(iter(self.under_way), self.taken + 1)
