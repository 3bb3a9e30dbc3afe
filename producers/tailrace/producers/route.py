"""Environment dev: the loaded code registers itself and takes all new runs.

The first run of a component in a process writes its manifest and a move of the dev pointer to the
control topic and waits for them; every run names the offset of that move.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tailrace.producers.control import DEV, dev_move, registration
from tailrace.producers.definition import step_of
from tailrace.producers.digest import reach_digest, reached
from tailrace.producers.manifest import component_manifest, deployment_id
from tailrace.schemas import wire
from tailrace.schemas.catalog import latest
from tailrace.schemas.topics import CONTROL

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from tailrace.producers.definition import ComponentDefinition
    from tailrace.producers.outlet import Outlet
    from tailrace.schemas.records.base import Record


@dataclass(frozen=True, slots=True)
class Route:
    """What a run is routed to."""

    deployment: str = ""
    """Id of the deployment, 64 hex digits."""

    code_digest: str = ""
    """Digest of the code that is loaded."""

    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The deployment's config."""

    control_offset: int = -1
    """Offset of the pointer's move on the control topic; -1 while it is not acknowledged."""


class DevRoutes:
    """The routes of the components of this process under dev. Thread-safe."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._lock = threading.Lock()
        self._registered: dict[ComponentDefinition, tuple[Route, Future[int]]] = {}

    def of(self, definition: ComponentDefinition) -> Future[int]:
        """Register the component if this was not done yet; resolved when it is acknowledged."""
        found = self._registered.get(definition)
        if found is None:
            with self._lock:
                found = self._registered.get(definition)
                if found is None:
                    found = self._registered[definition] = self._register(definition)
        return found[1]

    def now(self, definition: ComponentDefinition) -> Route:
        """Return the route as far as it is known: its offset is -1 until acknowledged."""
        route, moved = self._registered[definition]
        if route.control_offset < 0 and moved.done() and moved.exception() is None:
            route = Route(route.deployment, route.code_digest, route.config, moved.result())
            self._registered[definition] = (route, moved)
        return route

    def _register(self, definition: ComponentDefinition) -> tuple[Route, Future[int]]:
        functions = reached(definition.function)
        code_digest = reach_digest(functions)
        steps = {found.name: found.digest for found in map(step_of, functions) if found is not None}
        manifest = component_manifest(
            definition.name,
            entry_point=definition.entry_point,
            config=definition.config,
            steps=steps,
            code_digest=code_digest,
        )
        deployment = deployment_id(manifest)
        # One partition, one order: when the move is acknowledged, the registration is.
        self._append(definition.name, registration(manifest, definition.name, actor=DEV))
        moved = self._append(definition.name, dev_move(definition.name, deployment))
        return Route(deployment, code_digest, definition.config), moved

    def _append(self, component: str, record: Record) -> Future[int]:
        value = wire.encode(latest(record.schema_name), record.flatten())
        return self._outlet.append(CONTROL, component.encode(), value)
