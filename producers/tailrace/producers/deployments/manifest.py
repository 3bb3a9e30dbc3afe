"""A deployment's manifest: what defines the behaviour of components, and the id made of it.

A manifest is plain JSON: `{"components": {name: {...}}, "notes": {...}}`. Each component says its
entry point (`module:qualname`, absent when it is recorded only), its config, the digests of its
steps by name, and its code digest. Notes are for people and are no part of the id.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from tailrace.schemas.errors import TailraceError
from tailrace.schemas.payloads import canonical, dumps

if TYPE_CHECKING:
    from collections.abc import Mapping

NOTES = "notes"

TABLES = ("prompts", "models", "tools")
"""The tables that runs see beside their config, under these names."""


class UnreadableManifestError(TailraceError):
    """What was registered as a manifest is none."""


def canonical_manifest(manifest: Mapping[str, Any]) -> str:
    """Return the whole manifest as canonical JSON: keys sorted, no blanks."""
    return canonical(dumps(dict(manifest))).decode()


def deployment_id(manifest: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what defines behaviour: everything but the notes, 64 hex digits."""
    defining = {key: value for key, value in manifest.items() if key != NOTES}
    return hashlib.sha256(canonical_manifest(defining).encode()).hexdigest()


def component_manifest(
    component: str,
    *,
    entry_point: str | None,
    config: Mapping[str, Any],
    steps: Mapping[str, str],
    code_digest: str,
) -> dict[str, Any]:
    """Return the manifest of one component.

    Args:
        component: its name.
        entry_point: `module:qualname`; None when only recorded runs stand for it.
        config: what `current_run().config` gives.
        steps: definition digest of each step that its code reaches, by the step's name.
        code_digest: digest of all code of the project that it reaches.
    """
    part: dict[str, Any] = {
        "config": dict(config),
        "steps": dict(steps),
        "code_digest": code_digest,
    }
    if entry_point is not None:
        part["entry_point"] = entry_point
    return {"components": {component: part}}


def components(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the components in a manifest, sorted."""
    return tuple(sorted(cast("Mapping[str, Any]", manifest["components"])))


@dataclass(frozen=True, slots=True)
class ComponentPart:
    """What a manifest says of one component, as its runs need it."""

    config: Mapping[str, Any]
    """What `current_run().config` gives."""

    code_digest: str
    """Digest of its code; empty where the manifest does not say."""


def component_part(manifest: str, component: str) -> ComponentPart:
    """Return what a registered manifest says of a component.

    Args:
        manifest: canonical JSON, as the control topic has it.
        component: its name.

    Raises:
        UnreadableManifestError: if it is no manifest or says nothing of the component.
    """
    part = _read(manifest)["components"].get(component, {})
    digest = part.get("code_digest", "")
    if not (part and isinstance(part.get("config", {}), dict) and isinstance(digest, str)):
        raise UnreadableManifestError(f"what was registered does not say how {component} runs")
    return ComponentPart(run_config(part), digest)


def run_config(part: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `current_run().config` gives: the config, and the other tables by their names."""
    tables = {name: part[name] for name in TABLES if name in part}
    return {**part.get("config", {}), **tables}


def registered_manifest(
    registered: Mapping[tuple[str, str], Mapping[str, Any]], deployment: str
) -> dict[str, Any]:
    """Return the manifest of a deployment from what is registered by component and deployment.

    Raises:
        KeyError: if it is not registered.
        UnreadableManifestError: if what was registered is no manifest.
    """
    for (_, each), record in registered.items():
        if each == deployment:
            return _read(record["manifest"])
    raise KeyError(deployment)


def _read(manifest: str) -> dict[str, Any]:
    try:
        told: Any = json.loads(manifest)
        parts: list[Any] = list(told["components"].values())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UnreadableManifestError(_no_manifest(manifest)) from error
    if not all(isinstance(part, dict) for part in parts):
        raise UnreadableManifestError(_no_manifest(manifest))
    return cast("dict[str, Any]", told)


def _no_manifest(text: str) -> str:
    return (
        f"what was registered is no manifest, it begins with {text[:40]!r}: register another "
        "deployment"
    )
