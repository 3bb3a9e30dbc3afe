"""Every environment but dev: runs go where its pointers say, as the control topic tells them.

The topic is read to its end before the first run and followed from then on, on the sender's thread.
A run is routed by what is known when it begins; a child run by what its root was routed by. Without
Kafka the state that a process of this host kept on disk serves, and runs say how old it was.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from tailrace.producers.deployments.loaded_code import code_digest
from tailrace.producers.deployments.manifest import UnreadableManifestError, component_part
from tailrace.producers.routing.control import apply
from tailrace.producers.routing.pointers import Control
from tailrace.producers.routing.route import (
    CodeMismatchError,
    ControlUnknownError,
    ElsewhereError,
    NoPointerError,
    Route,
    UnregisteredDeploymentError,
)
from tailrace.schemas.topics import CONTROL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.producers.delivery.outlet import Outlet
    from tailrace.producers.deployments.manifest import ComponentPart
    from tailrace.producers.recording.definition import ComponentDefinition
    from tailrace.producers.routing.route import Asked
    from tailrace.producers.routing.route_cache import RouteCache

_log = logging.getLogger("tailrace.producers")

_FRESH_S = 5.0
"""How old knowledge may be without a run's saying so; the broker answers every half second."""

_SAY_AGAIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Routing:
    """How a client routes where what it knows and what it runs is not as it should be.

    Args:
        on_mismatch: what to do with a call whose loaded code is not its deployment's: `raise`;
            `dispatch` it to a worker of the deployment and return its answer (not of generators);
            or run it and `mark` it, which keeps it out of snapshots and windows.
        max_age_s: how old what is known of the pointers may be; older, `on_stale` holds.
        on_stale: `warn` and route by it, or `raise`.
    """

    on_mismatch: Literal["raise", "dispatch", "mark"] = "raise"
    max_age_s: float = 300.0
    on_stale: Literal["warn", "raise"] = "warn"


class PointerRoutes:
    """The routes of an environment. Thread-safe; see `Routes`."""

    def __init__(
        self,
        outlet: Outlet,
        environment: str,
        routing: Routing | None = None,
        cache: RouteCache | None = None,
    ) -> None:
        """Begin to follow the control topic; does not block.

        Args:
            outlet: an open outlet.
            environment: whose pointers route.
            routing: see `Routing`.
            cache: where the state is kept for a cold start; nowhere when None.
        """
        self.environment = environment
        self._routing = routing or Routing()
        self._cache = cache
        self._lock = threading.Lock()
        self._followed = Control()
        self._cached: tuple[Control, float] | None = None
        self._waiters: list[tuple[int, Future[None]]] = []
        self._routes: dict[tuple[ComponentDefinition, str], Route] = {}
        self._digests: dict[ComponentDefinition, str] = {}
        self._age_s = 0.0
        self._said_at = -_SAY_AGAIN_S
        self._following = outlet.follow(CONTROL, self._take)

    @property
    def ready(self) -> Future[None]:
        """Resolved when the topic has been read to the end it had."""
        return self._following.ready

    def waiting(self, asked: Asked) -> Future[None] | None:
        """Return what a run should wait for: the topic's end at first, then its root's offset."""
        if not self._following.ready.done():
            return self._following.ready
        if asked.as_of <= self._followed.offset:
            return None
        waiter: Future[None] = Future()
        with self._lock:
            self._waiters.append((asked.as_of, waiter))
        # It may have come before it was waited for.
        self._wake(self._followed.offset)
        return waiter

    def route(self, asked: Asked) -> Route:
        """Route a run by what is known; takes about two microseconds where nothing is amiss.

        Raises:
            ControlUnknownError: if the topic was not read yet and no state is kept here, or what is
                known is too old and that is not to be borne.
            NoPointerError: if the environment has no pointer for the component.
            UnregisteredDeploymentError: if what the pointer or the pin names cannot be run.
            CodeMismatchError: if the loaded code is not the deployment's.
        """
        control, age_s = self._followed, self._age_s
        if age_s or not self._following.ready.done():
            control, age_s = self._known(control, age_s)
        offset = asked.as_of if 0 <= asked.as_of <= control.offset else control.offset
        deployment = self._deployment(asked, control, offset)
        definition = asked.definition
        assert definition is not None, "only a run's own code is examined"
        found = self._routes.get((definition, deployment))
        if found is None:
            found = self._examined(asked, definition, deployment, control)
        if found.control_offset != offset:
            found = replace(found, control_offset=offset)
            self._routes[definition, deployment] = found
        if age_s < _FRESH_S and asked.as_of <= control.offset:
            return found
        return replace(found, attributes=_amiss(age_s, asked.as_of, control.offset))

    def resolve(self, asked: Asked) -> tuple[str, int]:
        """Return which deployment a run goes to, whatever code is loaded, and as of which offset.

        Raises:
            ControlUnknownError, NoPointerError, UnregisteredDeploymentError: as `route` does.
        """
        control, _ = self._known(self._followed, self._age_s)
        offset = asked.as_of if 0 <= asked.as_of <= control.offset else control.offset
        deployment = self._deployment(asked, control, offset)
        self._registered(asked, deployment, control)
        return deployment, offset

    def manifests(self, deployment: str) -> dict[str, ComponentPart]:
        """Return what a deployment's manifest says, by component; empty if it is not registered."""
        return {
            component: component_part(record["manifest"], component)
            for (component, each), record in list(self._followed.deployments.items())
            if each == deployment and not record["recorded_only"]
        }

    def _deployment(self, asked: Asked, control: Control, offset: int) -> str:
        component = asked.component
        environment = self._environment(asked)
        if asked.pinned:
            if (component, asked.pinned) in control.deployments:
                return asked.pinned
            if not any(each == asked.pinned for _, each in control.deployments):
                raise UnregisteredDeploymentError(
                    f"deployment {asked.pinned[:12]} was pinned and is not registered: see "
                    "`tailrace deployments ls`"
                )
        pointer = control.pointers.get((environment, component))
        standing = None if pointer is None else pointer.as_of(offset)
        if standing is None:
            raise NoPointerError(
                f"{component} has no pointer in environment {environment!r}"
                f"{'' if pointer is None else f' at control offset {offset}'}: deploy it with "
                f"`tailrace deploy FILE --env {environment}`, or use environment 'dev'"
            )
        return standing.arms.choose(asked.routing_hash)

    def _environment(self, asked: Asked) -> str:
        return asked.environment or self.environment

    def _registered(self, asked: Asked, deployment: str, control: Control) -> Mapping[str, Any]:
        """Return the registration of a deployment that runs can go to."""
        registered = control.deployments.get((asked.component, deployment))
        if registered is None or registered["recorded_only"]:
            environment = self._environment(asked)
            raise UnregisteredDeploymentError(
                f"{asked.component} in {environment!r} is pointed at deployment "
                f"{deployment[:12]}, which "
                f"{'is not registered for it' if registered is None else 'was only recorded'}: "
                f"move the pointer, for example with `tailrace rollback {asked.component} --env "
                f"{environment}`"
            )
        return registered

    def _examined(
        self, asked: Asked, definition: ComponentDefinition, deployment: str, control: Control
    ) -> Route:
        """Compare a deployment with the loaded code; once for each."""
        registered = self._registered(asked, deployment, control)
        try:
            part = component_part(registered["manifest"], definition.name)
        except UnreadableManifestError as error:
            raise UnregisteredDeploymentError(
                f"{definition.name} in {self._environment(asked)!r} is pointed at deployment "
                f"{deployment[:12]}: {error}"
            ) from error
        loaded = self._digests.get(definition)
        if loaded is None:
            loaded = self._digests[definition] = code_digest(definition)
        mismatch = part.code_digest not in {"", loaded}
        if mismatch and self._routing.on_mismatch != "mark":
            kind = CodeMismatchError if self._routing.on_mismatch == "raise" else ElsewhereError
            raise kind(
                f"{definition.name} is to run deployment {deployment[:12]}, whose code is "
                f"{part.code_digest[:12]}, and the loaded code is {loaded[:12]}: start this "
                "process from the deployed code, have workers of the deployment do it with "
                "Routing(on_mismatch='dispatch'), or accept it with on_mismatch='mark'"
            )
        return Route(deployment, loaded, part.config, code_mismatch=mismatch)

    def _known(self, control: Control, age_s: float) -> tuple[Control, float]:
        """Return the state to route by and its age, where it is not simply what is followed."""
        if not self._following.ready.done():
            if self._cached is None:
                self._cached = None if self._cache is None else self._cache.load()
            if self._cached is None:
                raise ControlUnknownError(
                    f"the pointers of environment {self.environment!r} are not known: the control "
                    "topic could not be read yet, and no process of this host kept what it said; "
                    "see whether Kafka runs"
                )
            control, heard_at = self._cached
            age_s = max(0.0, time.time() - heard_at)
        if age_s > self._routing.max_age_s:
            text = (
                f"what is known of the pointers of environment {self.environment!r} is "
                f"{age_s:.0f} s old, and {self._routing.max_age_s:g} s are allowed: see whether "
                "Kafka runs"
            )
            if self._routing.on_stale == "raise":
                raise ControlUnknownError(text)
            if time.monotonic() - self._said_at > _SAY_AGAIN_S:
                self._said_at = time.monotonic()
                _log.warning("tailrace: %s", text)
        return control, age_s

    def tick(self) -> None:
        """Note how old the state is, and keep it on disk; on the sender's thread."""
        if not self._following.ready.done():
            return
        heard_at = self._following.heard_at
        age_s = 0.0 if heard_at is None else time.time() - heard_at
        self._age_s = age_s if age_s >= _FRESH_S else 0.0
        if self._cache is not None and heard_at is not None:
            self._cache.keep(self._followed, heard_at)

    def _take(self, offset: int, value: bytes | None) -> None:
        apply(self._followed, offset, value)
        # What cannot be read here lies behind us, too.
        self._followed.offset = max(self._followed.offset, offset)
        if self._waiters:
            self._wake(offset)

    def _wake(self, offset: int) -> None:
        with self._lock:
            due = [each for each in self._waiters if each[0] <= offset]
            self._waiters = [each for each in self._waiters if each[0] > offset]
        for _, waiter in due:
            waiter.set_result(None)


def _amiss(age_s: float, as_of: int, offset: int) -> dict[str, str]:
    """Return what a run says that was routed by less than it should have been."""
    told: dict[str, Any] = {}
    if age_s >= _FRESH_S:
        told["control_age_s"] = f"{age_s:.1f}"
    if as_of > offset:
        told["control_behind"] = str(as_of)
    return told
