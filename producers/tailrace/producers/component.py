"""The `component` decorator: a call of the function is a run."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from tailrace.producers.recording.component_generators import (
    async_generator_component,
    generator_component,
)
from tailrace.producers.recording.definition import ComponentDefinition
from tailrace.producers.recording.ending import end, end_blocking
from tailrace.producers.recording.kinds import require_function
from tailrace.producers.recording.starting import begin, begin_blocking
from tailrace.producers.routing.route import ElsewhereError
from tailrace.producers.run import Run
from tailrace.producers.tree import tasks
from tailrace.producers.tree.place import PLACE, UNRECORDED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tailrace.producers.replay.dispatched import OnUnknown

P = ParamSpec("P")
R = TypeVar("R")


@overload
def component(function: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def component(
    name: str = ...,
    /,
    *,
    config: Mapping[str, Any] | None = ...,
    version: str = ...,
    on_unknown: OnUnknown = ...,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def component(
    target: Callable[..., Any] | str | None = None,
    /,
    *,
    config: Mapping[str, Any] | None = None,
    version: str = "",
    on_unknown: OnUnknown = "fail",
) -> Any:
    """Make each call of a function a run: an execution, or a child run within one.

    Sync and async functions, generators and async generators, methods. A generator's run begins
    when its first item is asked for and ends when it is exhausted or closed; what it yielded is its
    output.

    Without an open `Tailrace` the function is simply called. The call of a root run returns when
    the last events of its execution are acknowledged: an async one awaits that, a sync one blocks
    its thread; where that does not come in time, the value is returned all the same, and it is
    counted and logged. A cancelled run does not wait.

    Args:
        target: the component's name, or the function when used bare; its name is the default.
        config: what `current_run().config` gives under the environment dev.
        version: a part of the definition's digest.
        on_unknown: what a dispatched run does with a write that had begun when its worker died and
            of which nobody knows whether it happened: `fail`, `retry` it, or `ask` a person.

    Raises:
        UnsupportedFunctionError: for what is no function.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        require_function(function, "component")
        name = target if isinstance(target, str) else function.__name__
        definition = ComponentDefinition(
            function, name=name, config=config or {}, version=version, on_unknown=on_unknown
        )
        if inspect.iscoroutinefunction(function):
            return _async_component(function, definition)
        if inspect.isgeneratorfunction(function):
            return generator_component(function, definition)
        if inspect.isasyncgenfunction(function):
            return async_generator_component(function, definition)
        return _sync_component(function, definition)

    return decorate(target) if callable(target) else decorate


def _sync_component(
    function: Callable[..., Any], definition: ComponentDefinition
) -> Callable[..., Any]:
    unrecorded = Run(None, definition.config, None)

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            recording = begin_blocking(definition, args, kwargs)
        except ElsewhereError:
            from tailrace.producers.dispatch import elsewhere  # noqa: PLC0415 - needs aiokafka

            return elsewhere.elsewhere_blocking(definition, args, kwargs)
        if recording is None:
            outer = UNRECORDED.set(unrecorded)
            try:
                return function(*args, **kwargs)
            finally:
                UNRECORDED.reset(outer)
        token = PLACE.set(recording.place)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            PLACE.reset(token)
            end_blocking(recording, error=error)
            raise
        PLACE.reset(token)
        end_blocking(recording, result=result)
        return result

    return run


def _async_component(
    function: Callable[..., Any], definition: ComponentDefinition
) -> Callable[..., Any]:
    unrecorded = Run(None, definition.config, None)

    @functools.wraps(function)
    async def run(*args: Any, **kwargs: Any) -> Any:
        try:
            recording = await begin(definition, args, kwargs)
        except ElsewhereError:
            from tailrace.producers.dispatch import elsewhere  # noqa: PLC0415 - needs aiokafka

            return await elsewhere.elsewhere(definition, args, kwargs)
        if recording is None:
            outer = UNRECORDED.set(unrecorded)
            try:
                return await function(*args, **kwargs)
            finally:
                UNRECORDED.reset(outer)
        token = PLACE.set(recording.place)
        try:
            with tasks.branching():
                result = await function(*args, **kwargs)
        except BaseException as error:
            PLACE.reset(token)
            await end(recording, error=error)
            raise
        PLACE.reset(token)
        await end(recording, result=result)
        return result

    return run
