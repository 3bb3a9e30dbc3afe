"""A call whose code is not loaded here: done by a worker that has it, as if it were done here."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from tailrace.producers.content.annotations import RETURN, as_annotated
from tailrace.producers.dispatch.submit import submit, submit_blocking

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.producers.recording.definition import ComponentDefinition


async def elsewhere(
    definition: ComponentDefinition, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    """Submit a call and return what came back, in the type that the function is annotated with.

    Raises:
        As `submit` does; TypeError for arguments that the function does not take.
    """
    answer = await submit(definition.name, _named(definition, args, kwargs))
    return as_annotated(definition.function, RETURN, answer.output)


def elsewhere_blocking(
    definition: ComponentDefinition, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    """Do what `elsewhere` does, blocking the calling thread."""
    answer = submit_blocking(definition.name, _named(definition, args, kwargs))
    return as_annotated(definition.function, RETURN, answer.output)


def _named(
    definition: ComponentDefinition, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return arguments by name; those beyond names are given by their names, too."""
    bound = inspect.signature(definition.function).bind(*args, **kwargs)
    named: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            named |= value
        elif kind is inspect.Parameter.VAR_POSITIONAL:
            raise TypeError(
                f"{definition.name} was called with more arguments than it has names for: "
                f"{name!r} cannot be sent to a worker"
            )
        else:
            named[name] = value
    return named
