"""A manifest made whole: what it leaves out of a component is taken from the component's code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tailrace.producers.deployments.entry_points import load_component
from tailrace.producers.deployments.json_values import first_unfit
from tailrace.producers.deployments.loaded_code import code_digest, step_digests
from tailrace.producers.deployments.manifest import NOTES, TABLES, canonical_manifest
from tailrace.producers.deployments.manifest_file import MAX_BYTES, ManifestError
from tailrace.producers.deployments.secrets import first_secret
from tailrace.schemas.payloads import dumps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.producers.deployments.manifest_file import ComponentTable, Manifest
    from tailrace.producers.recording.definition import ComponentDefinition


@dataclass(frozen=True, slots=True)
class WholeManifest:
    """A manifest that says all that defines behaviour."""

    label: str
    content: dict[str, Any]
    """As it is registered."""


def whole(manifest: Manifest, source: Mapping[str, Any] | None = None) -> WholeManifest:
    """Import each component's code and say in the manifest what it is.

    The folder that the program runs in is where modules are looked for first. Code is not imported
    for a component that says its config, its steps and its code's digest.

    Args:
        manifest: as it was written.
        source: where the code came from, such as its commit; for people.

    Raises:
        ManifestError: if code cannot be imported, is no component of that name or is not what the
            manifest says, or the manifest holds a secret or is too large.
    """
    parts = {name: _part(name, table) for name, table in manifest.components.items()}
    notes = {"text": manifest.notes, "source": dict(source or {})}
    content: dict[str, Any] = {
        "components": parts,
        NOTES: {name: value for name, value in notes.items() if value},
    }
    found = first_secret({"label": manifest.label, **content})
    if found is not None:
        raise ManifestError(
            f"{found} looks like a secret, and what is registered stays on the log for ever: take "
            "it from the environment instead"
        )
    size = len(canonical_manifest(content).encode())
    if size > MAX_BYTES:
        raise ManifestError(f"the manifest takes {size:,} bytes; {MAX_BYTES:,} are allowed")
    return WholeManifest(manifest.label, content)


def _part(name: str, table: ComponentTable) -> dict[str, Any]:
    told = (table.config, table.steps, table.code_digest)
    definition = load_component(table.entry_point, name) if None in told else None
    config = _config(name, table, definition)
    for taken in TABLES:
        if taken in config and getattr(table, taken):
            raise ManifestError(
                f"components.{name}.config.{taken}: the table {taken} has the same name: runs "
                "would see one of the two"
            )
    part: dict[str, Any] = {
        "entry_point": table.entry_point,
        "config": config,
        "steps": table.steps,
        "code_digest": table.code_digest,
    }
    if definition is not None:
        part |= _digests(name, table, definition)
    further = {taken: getattr(table, taken) for taken in (*TABLES, "interpreter")}
    return part | {taken: value for taken, value in further.items() if value}


def _config(
    name: str, table: ComponentTable, definition: ComponentDefinition | None
) -> dict[str, Any]:
    if table.config is not None or definition is None:
        return table.config or {}
    unfit = first_unfit(definition.config, f"components.{name}.config")
    if unfit is not None:
        raise ManifestError(f"{unfit} (it stands in the code, with the decorator)")
    config: dict[str, Any] = json.loads(dumps(definition.config))
    return config


def _digests(name: str, table: ComponentTable, definition: ComponentDefinition) -> dict[str, Any]:
    computed = {"steps": step_digests(definition), "code_digest": code_digest(definition)}
    for taken, value in computed.items():
        told = getattr(table, taken)
        if told is not None and told != value:
            raise ManifestError(
                f"components.{name}.{taken} is not what the code here has: leave it out, or run "
                "this where that code is"
            )
    return computed
