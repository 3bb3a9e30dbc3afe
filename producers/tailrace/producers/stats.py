"""What a client counts: whatever did not go as it should."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Stats:
    """What did not go as it should, counted since the client was made.

    What is counted by the sender is brought up to date by `Tailrace.flush` and `Tailrace.close`.
    """

    defects: int = 0
    """Calls that the recorder failed to record; the first is in the log with its stack."""

    late: int = 0
    """Steps that began or ended after their run had ended."""

    unacknowledged: int = 0
    """Runs, and steps where each is waited for, whose caller got its value before their event was
    stored."""

    withheld: int = 0
    """Values that are not recorded because a rule of `redact` raised on them."""

    shed: int = 0
    """Records given up because memory and spool stayed full."""

    reduced: int = 0
    """Records that were cut, as they were too large for the broker; they say so."""

    too_large: int = 0
    """Records that were lost, as the broker refused them even so."""

    spooled: int = 0
    """Records that were written to the spool, to be sent later."""

    taken_over: int = 0
    """Records that were sent from the spools of processes that are gone."""

    corrupt: int = 0
    """Damaged stretches of spools that were skipped."""

    restarts: int = 0
    """How often the producer had to be replaced; only then are records sent twice."""

    left: int = 0
    """Records that lay in the spool when the client closed, for the next process to send."""

    unsent: int = 0
    """Records that were neither acknowledged nor in the spool when the client closed."""
