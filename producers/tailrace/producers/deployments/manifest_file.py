"""A manifest as people write it, in TOML or as a Python object; checked, not yet made whole.

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
it reaches, and its config where the file has none; see `whole_manifest`.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from tailrace.producers.deployments.json_values import first_unfit
from tailrace.producers.deployments.manifest import TABLES
from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_BYTES = 512 * 1024
"""How large a manifest may be: each component's record on the control topic holds it whole."""

_Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_Table = dict[_Name, Any]


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
    """The interpreter that it needs, such as `python3.11`; a part of the id."""

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
        told = tomllib.loads(content.decode("utf-8-sig"))
    except RecursionError as error:
        raise ManifestError(f"{path} nests tables or lists too deeply") from error
    except ValueError as error:  # of the syntax, the encoding, or an endless number
        raise ManifestError(f"{path} is no TOML: {error}") from error
    return parse_manifest(told, str(path))


def parse_manifest(told: Mapping[str, Any], where: str = "the manifest") -> Manifest:
    """Return the manifest that a Python object is, in the form of the TOML file.

    Raises:
        ManifestError: if it is none.
    """
    try:
        manifest = Manifest.model_validate(told)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "it"
        unknown = first["type"] == "extra_forbidden"
        says = "a manifest has no such key" if unknown else first["msg"].lower()
        raise ManifestError(f"{where}: {place}: {says}") from error
    for name, table in manifest.components.items():
        for taken in ("config", *TABLES):
            unfit = first_unfit(getattr(table, taken), f"components.{name}.{taken}")
            if unfit is not None:
                raise ManifestError(f"{where}: {unfit}")
    return manifest
