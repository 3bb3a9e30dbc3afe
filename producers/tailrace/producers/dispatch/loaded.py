"""The components that a worker has loaded, held against the deployment that it is to run."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from tailrace.producers.content.annotations import as_annotated
from tailrace.producers.deployments.loaded_code import code_digest
from tailrace.producers.recording.definition import component_of
from tailrace.producers.routing.route import CodeMismatchError, UnregisteredDeploymentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Executor

    from tailrace.producers.deployments.manifest import ComponentPart
    from tailrace.producers.recording.definition import ComponentDefinition


@dataclass(frozen=True)
class Loaded:
    """One component of a worker."""

    definition: ComponentDefinition
    function: Callable[..., Any]
    """As it is decorated."""

    async def call(self, given: Mapping[str, Any], executor: Executor) -> Any:
        """Call it to its end, off the loop where it blocks; of a generator return the items."""
        function = self.definition.function
        arguments = {name: as_annotated(function, name, value) for name, value in given.items()}
        call = partial(self.function, **arguments)
        if inspect.iscoroutinefunction(function):
            return await call()
        if inspect.isasyncgenfunction(function):
            return [item async for item in call()]
        if inspect.isgeneratorfunction(function):
            call = cast("Any", partial(_listed, call))
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(executor, context.run, call)


def _listed(call: Callable[[], Iterable[Any]]) -> list[Any]:
    return list(call())


def loaded_for(
    components: Iterable[Callable[..., Any]], deployment: str, parts: Mapping[str, ComponentPart]
) -> dict[str, Loaded]:
    """Return the components of a deployment, by name.

    Args:
        components: decorated functions; those of other deployments are left out.
        deployment: the id.
        parts: what its manifest says, by component.

    Raises:
        UnregisteredDeploymentError: if it is not registered.
        CodeMismatchError: if one of its components is not there, or has other code.
    """
    if not parts:
        raise UnregisteredDeploymentError(
            f"deployment {deployment[:12]} is not registered: see `tailrace deployments ls`"
        )
    found: dict[str, Loaded] = {}
    for function in components:
        definition = component_of(function)
        if definition is not None and definition.name in parts:
            found[definition.name] = Loaded(definition, function)
    missing = sorted(set(parts) - set(found))
    if missing:
        raise CodeMismatchError(
            f"deployment {deployment[:12]} has the component {missing[0]}, which is not among what "
            "this worker was given"
        )
    for name, part in parts.items():
        loaded = code_digest(found[name].definition)
        if part.code_digest not in {"", loaded}:
            raise CodeMismatchError(
                f"{name} of deployment {deployment[:12]} has the code {part.code_digest[:12]}, and "
                f"what is loaded has {loaded[:12]}: start the worker from the deployed code"
            )
    return found
