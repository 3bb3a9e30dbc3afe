"""Environment dev: the loaded code registers itself and takes all new runs.

The first run of a component in a process reads the control topic. If the dev pointer stands at the
loaded code already, nothing is written; else its manifest and a move of the pointer are, and waited
for. Every run names the offset of the move that stands.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tailrace.producers.deployments.loaded_code import loaded_manifest
from tailrace.producers.deployments.manifest import deployment_id
from tailrace.producers.process.loading import loading
from tailrace.producers.routing.control import DEV, dev_move, folded, registration
from tailrace.producers.routing.pointers import WHOLE
from tailrace.producers.routing.route import NotDispatchedError, Route, UnregisteredDeploymentError
from tailrace.schemas import wire
from tailrace.schemas.catalog import latest
from tailrace.schemas.topics import CONTROL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.producers.delivery.outlet import Outlet
    from tailrace.producers.recording.definition import ComponentDefinition
    from tailrace.producers.routing.pointers import Control
    from tailrace.producers.routing.route import Asked
    from tailrace.schemas.records.base import Record

_log = logging.getLogger("tailrace.producers")


class DevRoutes:
    """The routes of the components of this process under dev. Thread-safe."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._lock = threading.Lock()
        self._routes: dict[ComponentDefinition, tuple[Route, Future[int]]] = {}

    def waiting(self, asked: Asked) -> Future[int] | None:
        """Point dev at the component's code; return what is resolved when the move stands."""
        offset = self._of(_code(asked))[1]
        return None if offset.done() else offset

    def route(self, asked: Asked) -> Route:
        """Return the route as far as it is known: its offset is -1 until acknowledged.

        Raises:
            UnregisteredDeploymentError: if another deployment is pinned than the loaded code's.
        """
        definition = _code(asked)
        route, offset = self._of(definition)
        if asked.pinned not in {"", route.deployment}:
            raise UnregisteredDeploymentError(
                f"deployment {asked.pinned[:12]} was pinned for {asked.component}, and "
                f"environment dev runs the code that is loaded, {route.deployment[:12]}: name "
                "another environment"
            )
        if route.control_offset < 0 and offset.done():
            route = replace(route, control_offset=offset.result())
            self._routes[definition] = (route, offset)
        return route

    def tick(self) -> None:
        """Do nothing: the loaded code does not change."""

    def _of(self, definition: ComponentDefinition) -> tuple[Route, Future[int]]:
        found = self._routes.get(definition)
        if found is None:
            with self._lock:
                found = self._routes.get(definition)
                if found is None:
                    found = self._routes[definition] = self._begin(definition)
        return found

    def _begin(self, definition: ComponentDefinition) -> tuple[Route, Future[int]]:
        manifest = loaded_manifest(definition)
        offset: Future[int] = Future()

        def point(control: Future[list[tuple[int, bytes]]]) -> None:
            try:
                self._point(definition.name, manifest, folded(control.result()), offset)
            except Exception as error:  # noqa: BLE001 - whoever waits for the route is told
                _fail(offset, error)

        self._outlet.read(CONTROL).add_done_callback(point)
        code = manifest["components"][definition.name]["code_digest"]
        return Route(deployment_id(manifest), code, definition.config), offset

    def _point(
        self, component: str, manifest: Mapping[str, Any], control: Control, offset: Future[int]
    ) -> None:
        """Register and move, as far as the control topic does not say so already."""
        deployment = deployment_id(manifest)
        pointer = control.pointer(DEV, component)
        if pointer.weights == {deployment: WHOLE}:
            offset.set_result(pointer.revision)
            return
        if (component, deployment) not in control.registered:
            with loading():  # the models of these records, on the sender's thread
                registered = registration(manifest, component, actor=DEV)
            self._append(component, registered)
        with loading():
            move = dev_move(component, deployment, pointer.revision)
        # One partition, one order: when the move is acknowledged, the registration is.
        moved = self._append(component, move)
        moved.add_done_callback(lambda done: offset.set_result(done.result()))

    def _append(self, component: str, record: Record) -> Future[int]:
        value = wire.encode(latest(record.schema_name), record.flatten())
        return self._outlet.append(CONTROL, component.encode(), value)


def _fail(offset: Future[int], error: Exception) -> None:
    _log.error(
        "tailrace: the loaded code could not register itself, its runs name no control offset: %r",
        error,
    )
    if not offset.done():
        offset.set_result(-1)


def _code(asked: Asked) -> ComponentDefinition:
    if asked.definition is None:
        raise NotDispatchedError(
            f"environment dev runs the code that is loaded: call {asked.component} itself, or open "
            "the client in another environment"
        )
    return asked.definition
