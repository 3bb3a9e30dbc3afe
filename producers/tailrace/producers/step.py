"""The `step` decorator: a call that a run records, and that a replay can serve from the record."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from tailrace.producers.definition import StepDefinition
from tailrace.producers.guard import guarded
from tailrace.producers.kinds import require_plain_function
from tailrace.producers.place import PLACE
from tailrace.producers.recorded_step import RecordedStep

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.producers.definition import Effect
    from tailrace.producers.place import Place

P = ParamSpec("P")
R = TypeVar("R")


@overload
def step(function: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def step(
    *,
    name: str = ...,
    kind: str = ...,
    effect: Effect | None = ...,
    key: str | Callable[..., str] | None = ...,
    version: str = ...,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def step(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str = "",
    kind: str = "step",
    effect: Effect | None = None,
    key: str | Callable[..., str] | None = None,
    version: str = "",
) -> Any:
    """Record each call of a function, sync or async, as a step of the run it is called in.

    Outside of a recorded run the function is simply called. Recording never raises into the agent
    and never changes a value; what the function raises is recorded and raised on.

    Args:
        function: when used bare, as `@step`.
        name: the step's name; the function's own by default.
        kind: `llm`, `tool`, `retrieval` or a word of your own. An `llm` step's list of messages is
            recorded as a chain, and its usage is read from what it returns.
        effect: what it does to the world: `pure`, `read` or `write`. By default `read` for llm and
            retrieval and `write` for everything else, which is the careful assumption for replays.
        key: what tells siblings of the same name apart when they run at once in threads of your
            own: a text, or a function of the same arguments.
        version: a part of the definition's digest, to be raised when behaviour changes elsewhere.

    Raises:
        UnsupportedFunctionError: for a generator function.
    """

    def decorate(decorated: Callable[..., Any]) -> Callable[..., Any]:
        require_plain_function(decorated, "step")
        definition = StepDefinition(
            decorated,
            name=name or decorated.__name__,
            kind=kind,
            effect=effect,
            key=key,
            version=version,
        )
        if inspect.iscoroutinefunction(decorated):
            return _async_step(decorated, definition)
        return _sync_step(decorated, definition)

    return decorate if function is None else decorate(function)


def _sync_step(function: Callable[..., Any], definition: StepDefinition) -> Callable[..., Any]:
    @functools.wraps(function)
    def recorded(*args: Any, **kwargs: Any) -> Any:
        place = PLACE.get()
        if place is None:
            return function(*args, **kwargs)
        begun = _begin(definition, place, args, kwargs)
        if begun is None:
            return function(*args, **kwargs)
        token = PLACE.set(begun.place)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            _fail(begun, error)
            raise
        finally:
            PLACE.reset(token)
        _complete(begun, result)
        return result

    return recorded


def _async_step(function: Callable[..., Any], definition: StepDefinition) -> Callable[..., Any]:
    @functools.wraps(function)
    async def recorded(*args: Any, **kwargs: Any) -> Any:
        place = PLACE.get()
        if place is None:
            return await function(*args, **kwargs)
        begun = _begin(definition, place, args, kwargs)
        if begun is None:
            return await function(*args, **kwargs)
        token = PLACE.set(begun.place)
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            _fail(begun, error)
            raise
        finally:
            PLACE.reset(token)
        _complete(begun, result)
        return result

    return recorded


def _begin(
    definition: StepDefinition, place: Place, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> RecordedStep | None:
    try:
        recording = place.recording
        if recording.ended or not recording.client.is_open:
            recording.client.count_late(definition.name)
            return None
        begun = RecordedStep(definition, place, args, kwargs)
        if recording.client.step_started_after_s == 0:
            begun.announce(0, float("-inf"))
    except Exception as error:  # noqa: BLE001 - recording never breaks the agent
        guarded(place.recording.client, definition.name, error)
        return None
    return begun


def _complete(begun: RecordedStep, result: Any) -> None:
    try:
        begun.finish(result=result)
    except Exception as error:  # noqa: BLE001 - recording never breaks the agent
        guarded(begun.recording.client, begun.key, error)


def _fail(begun: RecordedStep, failure: BaseException) -> None:
    try:
        begun.finish(error=failure)
    except Exception as error:  # noqa: BLE001 - recording never breaks the agent
        guarded(begun.recording.client, begun.key, error)
