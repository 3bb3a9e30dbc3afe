"""Where a run comes from, and what it repeats in every event because of that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tailrace.producers.routing.route import Asked
from tailrace.schemas.ids import new_id

if TYPE_CHECKING:
    from tailrace.producers.client import Tailrace
    from tailrace.producers.options import RunOptions
    from tailrace.producers.recording.definition import ComponentDefinition
    from tailrace.producers.routing.route import Route
    from tailrace.producers.tree.offers import Offer
    from tailrace.producers.tree.place import Place


@dataclass(frozen=True, slots=True)
class Origin:
    """Which run a new one is started by: one here, one of another process, or none."""

    options: RunOptions
    """What its caller said."""

    parent: Place | None = None
    """Where it is called from, of a child in this process."""

    offer: Offer | None = None
    """The offer that it claims, of another process's child."""

    def trace_id(self) -> str:
        """Return the trace it belongs to; a new one each time where none is told."""
        if self.offer is not None:
            return self.offer.trace_id
        if self.parent is not None:
            return self.parent.recording.trace_id
        return self.options.trace_id or new_id()

    def root_run_id(self, run_id: str) -> str:
        """Return the execution's root run, which it is itself where nothing started it."""
        if self.offer is not None:
            return self.offer.root_run_id
        return run_id if self.parent is None else self.parent.recording.root_run_id

    def asked(self, component: str, definition: ComponentDefinition | None) -> Asked:
        """Return what a run of a component is routed by."""
        options, trace_id = self.options, self.trace_id()
        if self.parent is None:
            as_of, routing_hash = options.control_offset, options.routing_hash(trace_id)
        else:
            root = self.parent.recording.root
            as_of, routing_hash = root.control_offset, root.constant["routing_key"]
        pinned, environment = options.deployment, options.environment
        return Asked(component, definition, trace_id, routing_hash, as_of, pinned, environment)

    def constant(
        self, client: Tailrace, definition: ComponentDefinition, route: Route, ids: tuple[str, str]
    ) -> dict[str, Any]:
        """Return what every event of the run repeats, under the fields' names.

        Args:
            client: what it is recorded with.
            definition: its component's.
            route: what it was routed to.
            ids: of its trace and its own.
        """
        trace_id, run_id = ids
        options = self.options

        def shown(name: str, text: str) -> str:
            return text if client.redaction is None else client.redaction.text(name, text)

        return {
            "trace_id": trace_id,
            "run_id": run_id,
            "root_run_id": self.root_run_id(run_id),
            **self._started_by(),
            "component": definition.name,
            "deployment": route.deployment,
            "code_digest": route.code_digest,
            "code_mismatch": route.code_mismatch,
            "environment": options.environment or client.environment,
            "control_offset": route.control_offset,
            "routing_key": options.routing_hash(trace_id),
            "tenant": shown("tenant", options.tenant),
            "session": shown("session", options.session),
            "tags": [shown("tags", tag) for tag in options.tags],
            "attempt": options.attempt,
            "retry_of": options.retry_of,
        }

    def _started_by(self) -> dict[str, str]:
        offer, parent = self.offer, self.parent
        if offer is not None:
            named = (offer.run_id, offer.step_id, offer.offer_id)
        elif parent is not None:
            step_id = "" if parent.step is None else parent.step.step_id
            named = (parent.recording.run_id, step_id, "")
        else:
            named = ("", "", "")
        return dict(zip(("parent_run_id", "caller_step_id", "offer"), named, strict=True))


def shown_options(options: RunOptions, constant: dict[str, Any], control_offset: int) -> RunOptions:
    """Return a run's options as they may leave the process.

    Args:
        options: as the caller gave them.
        constant: what the run's events repeat, redacted.
        control_offset: what its execution is routed at.
    """
    return replace(
        options,
        session=constant["session"],
        tenant=constant["tenant"],
        tags=tuple(constant["tags"]),
        routing_hashed=constant["routing_key"],
        control_offset=control_offset,
    )
