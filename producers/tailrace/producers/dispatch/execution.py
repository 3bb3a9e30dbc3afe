"""One request while a worker runs it: its options, what it is served, how it ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from tailrace.producers.dispatch.records import RecordedRequest, RecordUnavailableError
from tailrace.producers.options import OPTIONS, RunOptions
from tailrace.producers.recording.ending import end
from tailrace.producers.recording.starting import begin
from tailrace.producers.replay.dispatched import DISPATCHED, Dispatched, RequestLostError
from tailrace.producers.replay.past import PastRun
from tailrace.producers.tree.offers import Offer, claiming
from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Executor

    from tailrace.producers.client import Tailrace
    from tailrace.producers.dispatch.loaded import Loaded
    from tailrace.producers.dispatch.records import RecordSource
    from tailrace.schemas.records import Request

Outcome = Literal["completed", "failed", "lost", "parked"]


class RequestExpiredError(TailraceError):
    """Nobody waited for the request any more when it was taken up: it was not begun."""


class NotRecordedError(TailraceError):
    """A run could not be recorded, so the request is not done."""


async def look_up(records: RecordSource, request: Request) -> RecordedRequest:
    """Return what is recorded of a request, or why that cannot be had."""
    try:
        return await records.of(request)
    except RecordUnavailableError as error:
        return RecordedRequest(error=error)


@dataclass(frozen=True, slots=True)
class Work:
    """What a record of a requests topic asks for."""

    request: Request
    given: Mapping[str, Any]
    """The arguments by name."""

    decided: bool
    """Whether a person has decided that it is to be done, whatever is unknown and however late."""


class Execution:
    """Runs one request once.

    Args:
        loaded: the component.
        work: what is asked for.
        recorded: what is recorded of it; None where nothing can be.
        is_ours: whether the request still belongs to this worker.
    """

    def __init__(
        self,
        loaded: Loaded,
        work: Work,
        recorded: RecordedRequest | None,
        is_ours: Callable[[], bool],
    ) -> None:
        self._loaded = loaded
        self._work = work
        self._request = request = work.request
        self._recorded = recorded or RecordedRequest()
        self._how = Dispatched(
            request.request_id,
            self._recorded.past if self._recorded.root_run_id else PastRun(),
            "retry" if work.decided else loaded.definition.on_unknown,
            is_ours,
        )

    def leave(self) -> None:
        """Give it up to another worker: what it does from now on is no answer."""
        self._how.fate.lost = True

    @property
    def parked(self) -> str:
        """What a person is to be asked before the request can go on."""
        return self._how.fate.parked

    async def run(self, client: Tailrace, executor: Executor) -> Outcome:
        """Run it to its end; return when that is acknowledged.

        Raises:
            NotRecordedError: if the run was not recorded.
        """
        offer = self._offer()
        options = OPTIONS.set(self._options())
        how = DISPATCHED.set(self._how)
        outcome: Outcome = "completed"
        try:
            with claiming(offer, afresh=True):
                await self._called(executor)
        except RequestLostError:
            outcome = "lost"
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # the worker is to leave it; else the agent has cancelled something itself
            outcome = "failed"
        except (Exception, SystemExit):  # noqa: BLE001 - the run has recorded it: that is the answer
            outcome = "failed"
        finally:
            DISPATCHED.reset(how)
            OPTIONS.reset(options)
        await self._stored(client)
        if self._how.fate.lost:
            return "lost"
        return "parked" if self._how.fate.parked else outcome

    async def _called(self, executor: Executor) -> None:
        request = self._request
        refusal: TailraceError | None = self._recorded.error
        expires_at = None if self._work.decided else request.expires_at
        if expires_at is not None and expires_at < datetime.now(UTC):
            refusal = RequestExpiredError(
                f"nobody waited for it any more from {expires_at:%H:%M:%S} UTC on"
            )
        if refusal is None:
            await self._loaded.call(self._work.given, executor)
            return
        recording = await begin(self._loaded.definition, (), self._work.given)
        if recording is not None:
            await end(recording, error=refusal)
        raise refusal

    async def _stored(self, client: Tailrace) -> None:
        recording = self._how.recording
        if recording is None:
            raise NotRecordedError(
                f"the run of {self._request.component} was not recorded: see the log above"
            )
        stored = asyncio.wrap_future(recording.lane.done)
        await asyncio.wait([stored], timeout=client.ack_timeout_s)
        if not stored.done() or stored.result() > 0:
            raise NotRecordedError(
                f"the end of the run of {self._request.component} was not acknowledged within "
                f"{client.ack_timeout_s:g} s: another worker will take it up"
            )

    def _options(self) -> RunOptions:
        request = self._request
        return RunOptions(
            session=request.session,
            tenant=request.tenant,
            tags=request.tags,
            trace_id=request.trace_id,
            attempt=request.attempt + self._recorded.attempts,
            routing_hashed=request.routing_key,
            deployment=request.deployment,
            control_offset=request.control_offset,
            environment=request.environment,
            retry_of=self._recorded.root_run_id,
        )

    def _offer(self) -> Offer | None:
        request = self._request
        if not request.offer:
            return None
        return Offer(
            request.offer,
            request.trace_id,
            request.parent_run_id,
            request.root_run_id,
            request.caller_step_id,
            self._options(),
        )
