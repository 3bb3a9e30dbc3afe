"""The handle of the current run, as the agent's own code sees it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tailrace.producers.content.usage import Usage
from tailrace.producers.process.loading import loading
from tailrace.producers.tree.place import PLACE, UNRECORDED
from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from tailrace.producers.options import RunOptions
    from tailrace.producers.recording.recording import Recording


class NoRunError(TailraceError):
    """There is no current run here."""


class Config(Mapping[str, Any]):
    """The deployment's config, fixed for a run. What is read of it is recorded with its reader."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, key: str) -> Any:
        value = self._values[key]
        place = PLACE.get()
        if place is not None:
            reader = place.recording if place.step is None else place.step
            reader.config_read.setdefault(key, value)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class Run:
    """The current run. Get it with `current_run()`."""

    __slots__ = ("_options", "_recording", "config")

    def __init__(
        self, recording: Recording | None, config: Mapping[str, Any], options: RunOptions | None
    ) -> None:
        self._recording = recording
        self._options = options
        self.config = Config(config)
        """From the deployment that the run was routed to, fixed for the run."""

    @property
    def recorded(self) -> bool:
        """Whether the run is recorded: whether a client was open when it began."""
        return self._recording is not None

    @property
    def trace_id(self) -> str:
        """The trace's id, 32 hex digits; empty when not recorded."""
        return "" if self._recording is None else self._recording.trace_id

    @property
    def run_id(self) -> str:
        """The run's id, 32 hex digits; empty when not recorded."""
        return "" if self._recording is None else self._recording.run_id

    @property
    def root_run_id(self) -> str:
        """The id of the execution's root run; empty when not recorded."""
        return "" if self._recording is None else self._recording.root_run_id

    @property
    def session(self) -> str:
        """The session that the caller named; empty when none."""
        return "" if self._options is None else self._options.session

    @property
    def tenant(self) -> str:
        """The tenant that the caller named; empty when none."""
        return "" if self._options is None else self._options.tenant

    @property
    def tags(self) -> tuple[str, ...]:
        """The labels that the caller gave."""
        return () if self._options is None else self._options.tags

    def now(self) -> datetime:
        """Return the time, aware and in UTC, recorded: a replay gives the recorded one."""
        return datetime.fromisoformat(_values().now())

    def random(self) -> float:
        """Return a random number from 0 up to, not including, 1, recorded as `now` is."""
        return _values().random()

    def uuid(self) -> UUID:
        """Return a random UUID, recorded as `now` is."""
        return UUID(_values().uuid())

    def usage(
        self,
        *,
        provider: str = "",
        model: str = "",
        finish_reason: str = "",
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cached_tokens: int | None = None,
        cost_usd: float | None = None,
    ) -> None:
        """Say what the current step's model call used; what is not given stays as it is.

        It stands above what is read from a response object. Outside of a step nothing happens.

        Args:
            provider: who served the call, such as openai.
            model: the model as the provider names it.
            finish_reason: why it stopped, in the provider's word.
            input_tokens: tokens read, cached ones included.
            output_tokens: tokens written.
            cached_tokens: input tokens served from the provider's cache.
            cost_usd: US dollars.
        """
        place = PLACE.get()
        if place is None or place.step is None:
            return
        told = Usage(
            provider, model, finish_reason, input_tokens, output_tokens, cached_tokens, cost_usd
        )
        if place.step.usage is None:
            place.step.usage = told
        else:
            place.step.usage.take(told)


def _values() -> ModuleType:
    with loading():
        from tailrace.producers.recording import values  # noqa: PLC0415 - steps know runs already
    return values


def current_run() -> Run:
    """Return the run that this code is executed in.

    In a component that is called without an open client, it gives the component's config, and its
    ids are empty.

    Raises:
        NoRunError: outside of any component.
    """
    place = PLACE.get()
    run = UNRECORDED.get() if place is None else place.recording.here.run
    if run is None:
        raise NoRunError(
            "current_run() was called outside of a component: decorate the function that begins "
            "the work with @component, or call this from within it"
        )
    return run
