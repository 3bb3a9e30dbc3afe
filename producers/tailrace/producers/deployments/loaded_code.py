"""What the loaded code says of a component: its digests, as they stand in a manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.producers.content.digest import reach_digest, reached
from tailrace.producers.deployments.manifest import component_manifest
from tailrace.producers.recording.definition import step_of

if TYPE_CHECKING:
    from tailrace.producers.recording.definition import ComponentDefinition


def code_digest(definition: ComponentDefinition) -> str:
    """Return the digest of all code of the project that a component reaches."""
    return reach_digest(reached(definition.function))


def step_digests(definition: ComponentDefinition) -> dict[str, str]:
    """Return the definition digest of each step that a component's code reaches, by its name."""
    steps = map(step_of, reached(definition.function))
    return {found.name: found.digest for found in steps if found is not None}


def loaded_manifest(definition: ComponentDefinition) -> dict[str, Any]:
    """Return the manifest of the loaded code alone, with the config of its decorator."""
    return component_manifest(
        definition.name,
        entry_point=definition.entry_point,
        config=definition.config,
        steps=step_digests(definition),
        code_digest=code_digest(definition),
    )
