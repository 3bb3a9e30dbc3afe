"""Deployments and moves for tests: made from code, written to whatever outlet is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.producers.content.digest import reach_digest, reached
from tailrace.producers.deployments.manifest import component_manifest, deployment_id
from tailrace.producers.routing.control import registration
from tailrace.producers.routing.moves import Mover, Target, promote
from tailrace.producers.routing.pointers import WHOLE
from tailrace.schemas import wire
from tailrace.schemas.catalog import latest
from tailrace.schemas.topics import CONTROL

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.producers.routing.pointers import Control
    from tailrace.producers.testing import Journal
    from tailrace.schemas.records.base import Record

ADA = Mover("ada", "it is better")


def manifest_of(component: Callable[..., Any], **config: Any) -> dict[str, Any]:
    """Return the manifest of a decorated function's code."""
    return component_manifest(
        component.__name__,
        entry_point=f"{component.__module__}:{component.__qualname__}",
        config=config,
        steps={},
        code_digest=reach_digest(reached(component)),
    )


def registered(manifest: dict[str, Any]) -> Record:
    """Return the registration of a manifest of one component."""
    return registration(manifest, next(iter(manifest["components"])), actor="ada")


class MemoryControl:
    """Deploys into a journal in memory."""

    def __init__(self, journal: Journal, control: Control, environment: str = "prod") -> None:
        self._journal = journal
        self._control = control
        self._environment = environment

    def deploy(self, manifest: dict[str, Any], weight: int = WHOLE) -> str:
        """Register a manifest and move its component's pointer; return the deployment's id."""
        component = next(iter(manifest["components"]))
        deployment = deployment_id(manifest)
        if (component, deployment) not in self._control.deployments:
            self.append(registered(manifest), component)
        target = Target(self._control, self._environment, component)
        self.append(promote(target, deployment, ADA, weight), component)
        return deployment

    def append(self, record: Record, component: str) -> int:
        """Write a record of control; return its offset."""
        value = wire.encode(latest(record.schema_name), record.flatten())
        offset = self._journal.append(CONTROL, component.encode(), value).result()
        self._control.apply(offset, record.schema_name, record.flatten())
        return offset
