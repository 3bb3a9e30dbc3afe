"""Which executions there are, and when each is closed: the state of one, without its runs' content.

An execution has ended when its root and every run that is known of it have ended, and each offer is
claimed or was left unclaimed for its limit. It is abandoned when no sign of life of any of its runs
came within the limit. Both are facts of the log: they depend on its records and their broker times
alone, never on when somebody looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tailrace.streams.rows import Closing
    from tailrace.streams.run_state import RunState

Status = Literal["ended", "abandoned"]

ROOTLESS = -(2**31)
"""Where the revisions of an execution begin while no event of its root run was seen: below any that
a closing with the root has, so that a late child never replaces what is known."""


@dataclass(frozen=True)
class Limits:
    """How long things are waited for, in broker time."""

    abandon_ms: int = 600_000
    """Without a sign of life for so long, an execution is abandoned."""

    claim_ms: int = 900_000
    """So long an offer may be claimed once the run that made it has ended."""

    late_ms: int = 600_000
    """So long an ended execution is remembered: repeats and late claims are folded into it."""

    late_abandoned_ms: int = 24 * 3_600_000
    """The same for one that was abandoned or has offers that nobody claimed."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """That an execution is closed at a moment, and how."""

    status: Status
    at_ms: int
    """Broker time."""


class Execution:
    """The state of one execution; its runs' content is read from their rows when it closes."""

    __slots__ = (
        "claims",
        "closing",
        "last_ms",
        "offers",
        "offset",
        "root_run_id",
        "root_seen",
        "runs",
        "scheduled_ms",
        "trace_id",
        "waiting",
    )

    def __init__(self, trace_id: str, root_run_id: str) -> None:
        self.trace_id = trace_id
        self.root_run_id = root_run_id
        self.runs: set[str] = set()
        """Runs of which something was seen."""

        self.waiting: set[str] = {root_run_id}
        """Runs that are known of and have not ended."""

        self.offers: dict[str, int] | None = None
        """Offers that nobody claims, and the broker time until which each may be."""

        self.claims: set[str] | None = None
        """Offers that runs claim."""

        self.last_ms = 0
        self.offset = -1
        self.root_seen = False
        self.closing: Closing | None = None
        self.scheduled_ms: int | None = None
        """When whoever keeps the executions looks at it next."""

    @property
    def is_open(self) -> bool:
        """Say whether something was told since it was closed, or it never was."""
        return self.closing is None or self.offset > self.closing.offset

    def take(self, run_id: str, state: RunState, limits: Limits) -> None:
        """Take in a run as it is now; taking it in again changes nothing."""
        if run_id not in self.runs:
            self.runs.add(run_id)
            self.waiting.add(run_id)
        if state.route is not None:
            self.root_seen = True
        if state.offer:
            self._claim(state.offer)
        self.last_ms = max(self.last_ms, state.last_ms)
        self.offset = max(self.offset, state.offset)
        if state.end is None or run_id not in self.waiting:
            return
        self.waiting.discard(run_id)
        # A child that was seen is waited for already, or has ended already.
        self.waiting.update(child for child in state.end.children if child not in self.runs)
        for offer in state.end.offers:
            self._offer(offer, state.end.broker_ms + limits.claim_ms)

    def unclaimed(self) -> list[str]:
        """Return the offers that no run claims, sorted."""
        return sorted(self.offers or ())

    def due_ms(self, limits: Limits) -> int | None:
        """Return the broker time at which time alone closes it, or has it forgotten; None if never.

        It is closed, or forgotten, by what happens *after* that time.
        """
        if not self.is_open:
            assert self.closing is not None, "what is not open was closed"
            return self.closing.closed_ms + self.closing.keep_ms
        if self.waiting:
            return self.last_ms + limits.abandon_ms
        return self._claimable_until()

    def verdict(self, now_ms: int, limits: Limits) -> Verdict | None:
        """Return how it is closed at this broker time; None if it is not."""
        if not self.is_open:
            return None
        if self.waiting:
            at_ms = self.last_ms + limits.abandon_ms
            return Verdict("abandoned", at_ms) if at_ms < now_ms else None
        until_ms = self._claimable_until()
        if until_ms is None or until_ms <= self.last_ms:
            return Verdict("ended", self.last_ms)
        return Verdict("ended", until_ms) if until_ms < now_ms else None

    def next_revision(self) -> int:
        """Return the number of the closing that comes next."""
        if self.closing is None:
            return 0 if self.root_seen else ROOTLESS
        if self.root_seen and self.closing.revision < 0:
            return 0
        return self.closing.revision + 1

    def _claim(self, offer: str) -> None:
        if self.claims is None:
            self.claims = set()
        self.claims.add(offer)
        if self.offers:
            self.offers.pop(offer, None)

    def _offer(self, offer: str, until_ms: int) -> None:
        if self.claims is not None and offer in self.claims:
            return
        if self.offers is None:
            self.offers = {}
        self.offers[offer] = until_ms

    def _claimable_until(self) -> int | None:
        return max(self.offers.values()) if self.offers else None
