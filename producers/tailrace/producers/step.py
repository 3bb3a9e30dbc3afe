"""The `step` decorator: a call that a run records, and that a replay can serve from the record."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from tailrace.producers.block import Recorder, StepBlock
from tailrace.producers.recording import durability
from tailrace.producers.recording.definition import StepDefinition
from tailrace.producers.recording.generators import Items, resumed, within
from tailrace.producers.recording.kinds import require_function
from tailrace.producers.recording.step_calls import begin_step, complete_step, fail_step
from tailrace.producers.replay import steps as dispatched
from tailrace.producers.tree.place import PLACE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Mapping

    from tailrace.producers.recording.definition import Effect

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


@overload
def step(
    name: str,
    /,
    *,
    kind: str = ...,
    effect: Effect | None = ...,
    key: str | None = ...,
    version: str = ...,
    input: Mapping[str, Any] | None = ...,
) -> StepBlock: ...


def step(
    target: Callable[..., Any] | str | None = None,
    /,
    *,
    name: str = "",
    kind: str = "step",
    effect: Effect | None = None,
    key: str | Callable[..., str] | None = None,
    version: str = "",
    input: Mapping[str, Any] | None = None,  # noqa: A002 - the word of the events
) -> Any:
    """Record each call of a function as a step of the run it is called in.

    Sync and async functions, generators and async generators, methods. A generator's step begins
    when its first item is asked for and ends when it is exhausted or closed; what it yielded is its
    output.

    With a name first it is a context manager of either sort, for code that is no function:
    `with step("rerank", input={"query": query}) as block:`, which records what is set as
    `block.output`. A replay serves the steps in a block, never the block.

    Outside of a recorded run the function is simply called. Recording never raises into the agent
    and never changes a value; what the function raises is recorded and raised on.

    Args:
        target: the function when used bare, as `@step`; a block's name.
        name: the step's name; the function's own by default.
        kind: `llm`, `tool`, `retrieval` or a word of your own. An `llm` step's list of messages is
            recorded as a chain, and its usage is read from what it returns.
        effect: what it does to the world: `pure`, `read` or `write`. By default `read` for llm and
            retrieval and `write` for everything else, which is the careful assumption for replays.
        key: what tells siblings of the same name apart when they run at once in threads of your
            own: a text, or a function of the same arguments.
        version: a part of the definition's digest, to be raised when behaviour changes elsewhere.
        input: a block's input by name.

    Raises:
        UnsupportedFunctionError: for what is no function.
    """
    options = {"kind": kind, "effect": effect, "key": key, "version": version}
    if isinstance(target, str):
        label = (target, kind, effect, key if isinstance(key, str) else "", version)
        decorate = functools.partial(_decorated, name=target, **options)
        return StepBlock(label, input, Recorder(begin_step, complete_step, fail_step), decorate)
    decorate = functools.partial(_decorated, name=name, **options)
    return decorate if target is None else decorate(target)


def _decorated(function: Callable[..., Any], *, name: str, **options: Any) -> Callable[..., Any]:
    require_function(function, "step")
    definition = StepDefinition(function, name=name or function.__name__, **options)
    if inspect.iscoroutinefunction(function):
        return _async_step(function, definition)
    if inspect.isgeneratorfunction(function):
        return _generator_step(function, definition)
    if inspect.isasyncgenfunction(function):
        return _async_generator_step(function, definition)
    return _sync_step(function, definition)


def _sync_step(function: Callable[..., Any], definition: StepDefinition) -> Callable[..., Any]:
    @functools.wraps(function)
    def recorded(*args: Any, **kwargs: Any) -> Any:
        place = PLACE.get()
        if place is None:
            return function(*args, **kwargs)
        begun = begin_step(definition, place, args, kwargs)
        if begun is None:
            return function(*args, **kwargs)
        if begun.recording.dispatched is not None:
            return dispatched.call_blocking(function, begun, args, kwargs)
        token = PLACE.set(begun.place)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            fail_step(begun, error)
            durability.wait_blocking(begun, error)
            raise
        finally:
            PLACE.reset(token)
        complete_step(begun, result)
        if begun.recording.client.durability == "step":
            durability.wait_blocking(begun)
        return result

    return recorded


def _async_step(function: Callable[..., Any], definition: StepDefinition) -> Callable[..., Any]:
    @functools.wraps(function)
    async def recorded(*args: Any, **kwargs: Any) -> Any:
        place = PLACE.get()
        if place is None:
            return await function(*args, **kwargs)
        begun = begin_step(definition, place, args, kwargs)
        if begun is None:
            return await function(*args, **kwargs)
        if begun.recording.dispatched is not None:
            return await dispatched.call(function, begun, args, kwargs)
        token = PLACE.set(begun.place)
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            fail_step(begun, error)
            await durability.wait(begun, error)
            raise
        finally:
            PLACE.reset(token)
        complete_step(begun, result)
        if begun.recording.client.durability == "step":
            await durability.wait(begun)
        return result

    return recorded


def _generator_step(function: Callable[..., Any], definition: StepDefinition) -> Callable[..., Any]:
    plain: Callable[..., Generator[Any, Any, Any]] = function

    @functools.wraps(function)
    def recorded(*args: Any, **kwargs: Any) -> Any:
        place = PLACE.get()
        begun = None if place is None else begin_step(definition, place, args, kwargs)
        if begun is None:
            return (yield from plain(*args, **kwargs))
        served = dispatched.items_blocking(begun)
        if served is not None:
            yield from served
            return None
        items = begun.items()
        try:
            returned = yield from within(begun.place, plain(*args, **kwargs), items)
        except GeneratorExit:
            complete_step(begun, None, items)
            raise
        except BaseException as error:
            fail_step(begun, error, items)
            durability.wait_blocking(begun, error)
            raise
        complete_step(begun, None, items)
        durability.wait_blocking(begun)
        return returned

    return recorded


def _async_generator_step(  # noqa: C901 - one loop, which cannot be delegated from
    function: Callable[..., Any], definition: StepDefinition
) -> Callable[..., Any]:
    @functools.wraps(function)
    async def recorded(*args: Any, **kwargs: Any) -> Any:
        outer = PLACE.get()
        begun = None if outer is None else begin_step(definition, outer, args, kwargs)
        served = await dispatched.items(begun)
        if served is not None:
            for item in served:
                yield item
            return
        place = None if begun is None else begun.place
        stream: AsyncGenerator[Any, Any] = function(*args, **kwargs)
        items = Items() if begun is None else begun.items()
        request = stream.asend(None)
        try:
            while True:
                item = await resumed(place, request)
                if begun is not None:
                    items.add(item)
                try:
                    request = stream.asend((yield item))
                except GeneratorExit:
                    await resumed(place, stream.aclose())
                    raise
                except BaseException as error:  # noqa: BLE001 - handed on to the generator itself
                    request = stream.athrow(error)
        except (StopAsyncIteration, GeneratorExit) as end:
            complete_step(begun, None, items)
            if isinstance(end, GeneratorExit):
                raise
            await durability.wait(begun)
        except BaseException as error:
            fail_step(begun, error, items)
            await durability.wait(begun, error)
            raise

    return recorded
