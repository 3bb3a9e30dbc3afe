"""Entry points: the function that `module:qualname` names, imported."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tailrace.producers.deployments.manifest_file import ManifestError
from tailrace.producers.recording.definition import component_of
from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from tailrace.producers.recording.definition import ComponentDefinition


class NotImportedError(TailraceError):
    """A module of the user's cannot be imported."""


def load_component(entry_point: str, name: str) -> ComponentDefinition:
    """Import the function that an entry point names, and return the component that it is.

    Raises:
        ManifestError: if it cannot be imported or is no component of that name.
    """
    try:
        found = imported(entry_point)
    except NotImportedError as error:
        raise ManifestError(f"components.{name}: {error}") from error
    definition = component_of(found)
    if definition is None:
        raise ManifestError(
            f"components.{name}: {entry_point} is no function decorated with @component"
        )
    if definition.name != name:
        raise ManifestError(
            f"components.{name}: {entry_point} is the component {definition.name!r}: give the "
            "table its name"
        )
    return definition


def imported(named: str) -> Any:
    """Import a module, and return it, or what it holds under `module:qualname`; None if nothing.

    The folder that the program runs in is where modules are looked for first.

    Raises:
        NotImportedError: if the module cannot be imported.
    """
    module_name, _, path = named.partition(":")
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        found: Any = importlib.import_module(module_name)
        for each in path.split(".") if path else ():
            found = getattr(found, each, None)
    except (Exception, SystemExit) as error:  # a module may end the program when it is imported
        raise NotImportedError(_not_imported(module_name, error)) from error
    return found


def _not_imported(module_name: str, error: BaseException) -> str:
    text = " ".join(str(error).split())[:200] or "it says no more"
    if isinstance(error, ModuleNotFoundError) and error.name == module_name.partition(".")[0]:
        return (
            f"there is no module {module_name!r} in {Path.cwd()} or among what is installed: run "
            "this where your code is"
        )
    return f"importing {module_name} failed: {type(error).__name__}: {text}"
