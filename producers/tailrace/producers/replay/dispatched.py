"""What a dispatched run does at its steps: serve what is recorded, and make sure of its writes.

A write's beginning is acknowledged before its body runs and its end before its caller goes on. So
of a run whose worker died it is known of each write whether it ended, began, or never was. One that
began and did not end is *unknown*.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tailrace.producers.content.digest import with_config
from tailrace.producers.replay.past import PastRun
from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from tailrace.producers.recording.recorded_step import RecordedStep
    from tailrace.producers.recording.recording import Recording
    from tailrace.producers.replay.past import PastStep, RunPlace

OnUnknown = Literal["retry", "fail", "ask"]
"""What to do with a write of which nobody knows whether it happened: do it again, fail the run, or
park the request until a person decides."""


class UnknownEffectError(TailraceError):
    """A write began before the worker died, and nobody knows whether it happened."""


class EffectNotRecordedError(TailraceError):
    """A write's beginning, and then it was not done, or its end was not acknowledged in time."""


class RequestLostError(BaseException):
    """The request belongs to another worker by now: this run ends without an answer.

    No `Exception`, so that an agent that goes on after errors does not go on after this.
    """


@dataclass(frozen=True, slots=True)
class Served:
    """A step's recorded result, to be given in place of its body."""

    step_id: str
    """The recorded step's."""

    output: Any


@dataclass(slots=True)
class Fate:
    """What becomes of a dispatched execution besides its end; its runs share it."""

    lost: bool = False
    """Whether the request is another worker's by now: what it ends with is no answer."""

    parked: str = ""
    """What a person is to be asked before it can go on; empty when nothing. It is no answer then,
    either."""


@dataclass(slots=True)
class Dispatched:
    """How one run of a dispatched execution treats its steps."""

    request_id: str
    past: PastRun
    on_unknown: OnUnknown = "fail"
    is_ours: Callable[[], bool] = lambda: True
    """Whether the request still belongs to this worker; asked before each write."""

    recording: Recording | None = None
    """The run, once it has begun."""

    fate: Fate = field(default_factory=Fate)
    _numbers: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])

    def child(self, caller: str, component: str) -> Dispatched:
        """Return how a child run treats its steps.

        Args:
            caller: key of the calling step; empty when none.
            component: the child's.
        """
        number = self._numbers.get((caller, component), 0)
        self._numbers[caller, component] = number + 1
        place: RunPlace = (caller, component, number)
        past = self.past.children.get(place) or PastRun()
        return Dispatched("", past, self.on_unknown, self.is_ours, fate=self.fate)

    @property
    def answers(self) -> bool:
        """Whether the end of the run is the answer to its request."""
        return bool(self.request_id) and not self.fate.lost and not self.fate.parked

    def decide(self, begun: RecordedStep) -> Served | None:
        """Return what the step is served; None where its body is to run.

        Raises:
            UnknownEffectError: for a write that began and did not end, or that ended with another
                input, unless the policy is to retry.
            RequestLostError: before a write that is another worker's by now.
        """
        definition = begun.definition
        past = self.past.steps.get(begun.key)
        if past is not None and past.is_leaf:
            if past.status == "completed" and self._matches(begun, past):
                return Served(past.step_id, past.output)
            unknown = definition.effect == "write" and past.status != "failed"
            if unknown and self.on_unknown != "retry":
                error = UnknownEffectError(_unknown(begun.key, past))
                self.fate.parked = str(error) if self.on_unknown == "ask" else ""
                raise error
        if definition.effect == "write" and not self.is_ours():
            self.fate.lost = True
            raise RequestLostError(f"{begun.key} was not begun: the request is another worker's")
        return None

    def _matches(self, begun: RecordedStep, past: PastStep) -> bool:
        if past.input_digest != begun.input_digest:
            return False
        if begun.definition.effect == "write":
            return True  # done is done, whatever became of its code
        config: Mapping[str, Any] = begun.recording.route.config
        read = {key: config.get(key) for key in past.config_keys}
        return past.definition_digest == with_config(begun.definition.digest, read)

    def before(self, begun: RecordedStep) -> Future[int] | None:
        """Announce a write; return what is resolved when that is acknowledged. None for others."""
        if begun.definition.effect == "write":
            begun.announce(0, float("-inf"))
        return self.after(begun)

    def after(self, begun: RecordedStep) -> Future[int] | None:
        """Return what is resolved when a write's end is acknowledged; None for other steps."""
        if begun.definition.effect != "write":
            return None
        return begun.recording.client.outlet.stored(begun.recording.lane)


def enter_blocking(dispatched: Dispatched, begun: RecordedStep) -> Served | None:
    """Decide on a step, and wait until the beginning of a write is acknowledged.

    Raises:
        UnknownEffectError, RequestLostError: see `Dispatched.decide`.
        EffectNotRecordedError: if Kafka does not acknowledge in time: the write is not done.
    """
    served = dispatched.decide(begun)
    if served is None:
        wait_blocking(dispatched.before(begun), begun)
    return served


async def enter(dispatched: Dispatched, begun: RecordedStep) -> Served | None:
    """Do what `enter_blocking` does without holding the loop up."""
    served = dispatched.decide(begun)
    if served is None:
        await wait(dispatched.before(begun), begun)
    return served


def wait_blocking(stored: Future[int] | None, begun: RecordedStep) -> None:
    """Wait for an acknowledgement of a write.

    Raises:
        EffectNotRecordedError: if it does not come in time.
    """
    if stored is not None:
        concurrent.futures.wait([stored], timeout=begun.recording.client.ack_timeout_s)
        _require(stored, begun)


async def wait(stored: Future[int] | None, begun: RecordedStep) -> None:
    """Do what `wait_blocking` does without holding the loop up."""
    if stored is not None:
        limit_s = begun.recording.client.ack_timeout_s
        await asyncio.wait([asyncio.wrap_future(stored)], timeout=limit_s)
        _require(stored, begun)


def _require(stored: Future[int], begun: RecordedStep) -> None:
    if not stored.done() or stored.result() > 0:
        raise EffectNotRecordedError(
            f"{begun.key}: Kafka has not acknowledged all of it within "
            f"{begun.recording.client.ack_timeout_s:g} s; see whether it runs"
        )


def _unknown(key: str, past: PastStep) -> str:
    what = "began" if past.status == "started" else "was done with another input"
    return (
        f"{key} {what} before the worker died, so it is not known whether doing it now would do it "
        "twice: look at what it does, then do it again or leave it"
    )


DISPATCHED: ContextVar[Dispatched | None] = ContextVar("tailrace_dispatched", default=None)
"""How the root run that begins here treats its steps; None where it was not dispatched."""
