"""Which deployment a run is routed to: what is asked, what is answered, what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from tailrace.producers.recording.definition import ComponentDefinition


class RoutingError(TailraceError):
    """A run cannot be routed, so it did not begin; the text says what to do."""


class NoPointerError(RoutingError):
    """The environment has no pointer for the component."""


class UnregisteredDeploymentError(RoutingError):
    """A pointer or a pin names a deployment that runs cannot go to."""


class NotDispatchedError(RoutingError):
    """Work cannot be sent to another process from here."""


class CodeMismatchError(RoutingError):
    """The loaded code is not the deployment's."""


class ElsewhereError(CodeMismatchError):
    """The loaded code is not the deployment's, and a worker of the deployment is to be asked."""


class ControlUnknownError(RoutingError):
    """What the control topic says is not known, or only as it was too long ago."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run is routed by."""

    component: str
    """Its name."""

    definition: ComponentDefinition | None
    """Its code; None where it is only asked which deployment it goes to."""

    trace_id: str
    """The trace that the run will belong to."""

    routing_hash: str
    """Of the caller's key, else the session, else the trace."""

    as_of: int = -1
    """The control offset that the execution's root was routed at; -1 for a root."""

    pinned: str = ""
    """The deployment that the caller pinned; empty for the pointer's."""

    environment: str = ""
    """Whose pointers route it; the client's when empty."""


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
    """Offset on the control topic as of which it was routed; -1 while that is not known."""

    code_mismatch: bool = False
    """Whether the loaded code is not the deployment's."""

    attributes: Mapping[str, str] = field(default_factory=dict[str, str])
    """What the run's first event says beside: how old the knowledge was."""


class Routes(Protocol):
    """Routes the runs of a process. Thread-safe."""

    def waiting(self, asked: Asked) -> Future[Any] | None:
        """Return what a run should wait for before it is routed; None if for nothing."""
        ...

    def route(self, asked: Asked) -> Route:
        """Route a run by what is known.

        Raises:
            RoutingError: if it cannot be.
        """
        ...

    def tick(self) -> None:
        """Look after what is kept; called about four times a second on the sender's thread."""
        ...
