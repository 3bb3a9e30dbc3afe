"""Components that yield: a run from the first item asked for until it is exhausted or closed."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from tailrace.producers.recording.ending import end, end_blocking
from tailrace.producers.recording.generators import Items, resumed, within
from tailrace.producers.recording.starting import begin, begin_blocking
from tailrace.producers.run import Run
from tailrace.producers.tree import tasks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from tailrace.producers.recording.definition import ComponentDefinition


def generator_component(
    function: Callable[..., Generator[Any, Any, Any]], definition: ComponentDefinition
) -> Callable[..., Any]:
    """Decorate a generator function."""
    unrecorded = Run(None, definition.config, None)

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        recording = begin_blocking(definition, args, kwargs)
        if recording is None:
            return (yield from within(unrecorded, function(*args, **kwargs), None))
        items = Items()
        try:
            returned = yield from within(recording.place, function(*args, **kwargs), items)
        except GeneratorExit:
            end_blocking(recording, items=items)
            raise
        except BaseException as error:
            end_blocking(recording, error=error, items=items)
            raise
        end_blocking(recording, items=items)
        return returned

    return run


def async_generator_component(
    function: Callable[..., AsyncGenerator[Any, Any]], definition: ComponentDefinition
) -> Callable[..., Any]:
    """Decorate an async generator function."""
    unrecorded = Run(None, definition.config, None)

    @functools.wraps(function)
    async def run(*args: Any, **kwargs: Any) -> Any:
        recording = await begin(definition, args, kwargs)
        place = unrecorded if recording is None else recording.place
        stream = function(*args, **kwargs)
        items = Items()
        request = stream.asend(None)
        failure: BaseException | None = None
        try:
            with tasks.branching():
                while True:
                    item = await resumed(place, request)
                    if recording is not None:
                        items.add(item)
                    try:
                        request = stream.asend((yield item))
                    except GeneratorExit:
                        await resumed(place, stream.aclose())
                        raise
                    except BaseException as error:  # noqa: BLE001 - handed on to the generator
                        request = stream.athrow(error)
        except StopAsyncIteration:
            pass
        except BaseException as error:
            failure = None if isinstance(error, GeneratorExit) else error
            raise
        finally:
            if recording is not None:
                await end(recording, error=failure, items=items)

    return run
