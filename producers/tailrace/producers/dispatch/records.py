"""What a worker asks for before it does a request that may have been begun before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from tailrace.producers.recording.recording import REQUEST_ID
from tailrace.producers.replay.past import PastRun, past_run
from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.producers.replay.past import Payloads
    from tailrace.schemas.records import Request


class RecordUnavailableError(TailraceError):
    """What was recorded of a request cannot be had, so it is not known what was done."""


@dataclass(frozen=True)
class RecordedRequest:
    """What is recorded of a request."""

    answered: bool = False
    """Whether a run of it has ended: it is done."""

    root_run_id: str = ""
    """The newest run that was begun for it; empty if none was."""

    attempts: int = 0
    """How many runs were begun for it."""

    past: PastRun = field(default_factory=PastRun)
    """What these runs recorded, together."""

    error: RecordUnavailableError | None = None
    """Why nothing of this is known; None where it is."""


class RecordSource(Protocol):
    """Gives what the log has of a request, as of when it is asked."""

    async def of(self, request: Request) -> RecordedRequest:
        """Return it, complete as of now; blocks until that can be had.

        Raises:
            RecordUnavailableError: if it cannot be had in time.
        """
        ...


class NoRecords:
    """Knows of nothing: requests whose worker died are done anew, from their beginning."""

    async def of(self, request: Request) -> RecordedRequest:
        """Return that nothing was begun."""
        del request
        return RecordedRequest()


def recorded_request(
    events: Sequence[Mapping[str, Any]], payload: Payloads, request_id: str
) -> RecordedRequest:
    """Return what a trace's events say of a request. Pure.

    Args:
        events: of the request's trace, flat, each identity once, in any order.
        payload: resolves references.
        request_id: which request.
    """
    ours = [event for event in events if event["attributes"].get(REQUEST_ID) == request_id]
    begun = sorted(
        (event for event in ours if event["kind"] == "run_started"),
        key=lambda event: (event["ts"], event["run_id"]),
    )
    past = PastRun()
    for event in begun:
        found = past_run(events, payload, event["run_id"])
        if found is not None:
            past.take(found)
    return RecordedRequest(
        answered=any(event["last_seq"] is not None for event in ours),
        root_run_id=begun[-1]["run_id"] if begun else "",
        attempts=len(begun),
        past=past,
    )
