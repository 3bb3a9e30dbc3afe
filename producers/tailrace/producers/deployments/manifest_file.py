"""A manifest as people write it, in TOML or as a Python object, made whole from the loaded code.

    label = "shorter answers"
    notes = "asks for the order's number first"

    [components.support]
    entry_point = "support_agent.agent:support"

    [components.support.config]
    max_turns = 8

    [components.support.prompts]
    system = "You are the desk of a small shop."

    [components.support.models.answer]
    provider = "openai"
    model = "gpt-4o-mini"
    temperature = 0

What is left out of a component comes from its code: the digests of its steps and of all code that
it reaches, and its config where the file has none.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError

from tailrace.producers.deployments.loaded_code import code_digest, step_digests
from tailrace.producers.deployments.manifest import NOTES, TABLES, canonical_manifest
from tailrace.producers.deployments.secrets import first_secret
from tailrace.producers.recording.definition import component_of
from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.producers.recording.definition import ComponentDefinition

MAX_BYTES = 512 * 1024
"""How large a manifest may be: each component's record on the control topic holds it whole."""

_Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_Table = dict[_Name, JsonValue]


class ManifestError(TailraceError):
    """A manifest cannot be used; the text says where and why."""


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ComponentTable(_Closed):
    """What a manifest says of one component."""

    entry_point: Annotated[str, StringConstraints(pattern=r"^[\w.]+:[\w.]+$")]
    """`module:qualname` of the decorated function."""

    config: _Table | None = None
    """What `current_run().config` gives; that of the code when left out."""

    prompts: _Table = Field(default_factory=dict)
    models: _Table = Field(default_factory=dict)
    """Settings of models, by what they are used for."""

    tools: _Table = Field(default_factory=dict)
    interpreter: str = ""
    """The interpreter that it needs, such as `python3.11`; for people."""

    steps: dict[_Name, _Digest] | None = None
    """Definition digest of each step; computed from the code when left out."""

    code_digest: _Digest | None = None
    """Digest of all code; computed from the code when left out."""


class Manifest(_Closed):
    """A manifest before it is made whole."""

    label: Annotated[str, StringConstraints(max_length=200)] = ""
    """A short name for people; no part of the id."""

    notes: str = ""
    """For people; no part of the id."""

    components: dict[_Name, ComponentTable] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class WholeManifest:
    """A manifest that says all that defines behaviour."""

    label: str
    content: dict[str, Any]
    """As it is registered."""


def read_manifest(path: Path) -> Manifest:
    """Return the manifest in a TOML file.

    Raises:
        ManifestError: if it cannot be read, is too large, or is no manifest.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ManifestError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise ManifestError(f"{path} has {len(content):,} bytes; {MAX_BYTES:,} are allowed")
    try:
        told = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path} is no TOML: {error}") from error
    return parse_manifest(told, str(path))


def parse_manifest(told: Mapping[str, Any], where: str = "the manifest") -> Manifest:
    """Return the manifest that a Python object is, in the form of the TOML file.

    Raises:
        ManifestError: if it is none.
    """
    try:
        return Manifest.model_validate(dict(told))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "it"
        raise ManifestError(f"{where}: {place}: {first['msg'].lower()}") from error


def whole(manifest: Manifest, source: Mapping[str, Any] | None = None) -> WholeManifest:
    """Import each component's code and say in the manifest what it is.

    The folder that the program runs in is where modules are looked for first.

    Args:
        manifest: as it was written.
        source: where the code came from, such as its commit; for people.

    Raises:
        ManifestError: if code cannot be imported or is no component of that name, or the manifest
            holds a secret or is too large.
    """
    parts = {name: _part(name, table) for name, table in manifest.components.items()}
    content: dict[str, Any] = {"components": parts}
    notes = {"text": manifest.notes, "source": dict(source or {})}
    content |= {NOTES: {name: value for name, value in notes.items() if value}}
    found = first_secret(content)
    if found is not None:
        raise ManifestError(
            f"{found} looks like a secret, and what is registered stays on the log for ever: take "
            "it from the environment instead"
        )
    try:
        json.dumps(content, allow_nan=False)
    except ValueError:
        raise ManifestError("a number is no finite one: JSON has no nan and no inf") from None
    size = len(canonical_manifest(content).encode())
    if size > MAX_BYTES:
        raise ManifestError(f"the manifest takes {size:,} bytes; {MAX_BYTES:,} are allowed")
    return WholeManifest(manifest.label, content)


def load_component(entry_point: str, name: str) -> ComponentDefinition:
    """Import the function that an entry point names, and return the component that it is.

    Raises:
        ManifestError: if it cannot be imported or is no component of that name.
    """
    module_name, _, path = entry_point.partition(":")
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:
        raise ManifestError(_not_imported(name, module_name, error)) from error
    for each in path.split("."):
        found = getattr(found, each, None)
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


def _not_imported(name: str, module_name: str, error: Exception) -> str:
    text = " ".join(str(error).split())[:200] or type(error).__name__
    if isinstance(error, ModuleNotFoundError) and error.name == module_name.partition(".")[0]:
        return (
            f"components.{name}: there is no module {module_name!r} in {os.fspath(Path.cwd())} or "
            "among what is installed: run this where your code is"
        )
    return f"components.{name}: importing {module_name} failed: {type(error).__name__}: {text}"


def _part(name: str, table: ComponentTable) -> dict[str, Any]:
    definition = load_component(table.entry_point, name)
    config = definition.config if table.config is None else table.config
    for taken in TABLES:
        if taken in config and getattr(table, taken):
            raise ManifestError(
                f"components.{name}.config.{taken}: the table {taken} has the same name: runs "
                "would see one of the two"
            )
    part: dict[str, Any] = {
        "entry_point": table.entry_point,
        "config": dict(config),
        "steps": step_digests(definition) if table.steps is None else table.steps,
        "code_digest": table.code_digest or code_digest(definition),
    }
    further = {taken: getattr(table, taken) for taken in (*TABLES, "interpreter")}
    return part | {taken: value for taken, value in further.items() if value}
