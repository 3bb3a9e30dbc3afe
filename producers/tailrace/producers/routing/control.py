"""What a producer writes to the control topic (registrations, dev's moves), and how it reads it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tailrace.producers.deployments.manifest import canonical_manifest, components, deployment_id
from tailrace.producers.routing.pointers import AUTOMATON, WHOLE, Control
from tailrace.schemas import wire
from tailrace.schemas.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tailrace.producers.routing.pointers import Ruling
    from tailrace.schemas.records import DeploymentRegistered, PointerMoved

_log = logging.getLogger("tailrace.producers")

DEV = "dev"
"""The environment in which loaded code registers itself, and the actor that does so."""


def registration(
    manifest: Mapping[str, Any],
    component: str,
    *,
    recorded_only: bool = False,
    label: str = "",
    actor: str,
    actor_kind: str = AUTOMATON,
) -> DeploymentRegistered:
    """Return the record that registers a manifest for one of its components."""
    # Imported where needed: building the records' models takes a third of this package's import.
    from importlib.metadata import version  # noqa: PLC0415

    from tailrace.schemas.records import DeploymentRegistered  # noqa: PLC0415

    return DeploymentRegistered(
        deployment=deployment_id(manifest),
        component=component,
        components=components(manifest),
        manifest=canonical_manifest(manifest),
        recorded_only=recorded_only,
        label=label,
        registered_at=datetime.now(UTC),
        actor=actor,
        actor_kind=actor_kind,
        tailrace_version=version("tailrace"),
    )


def dev_move(component: str, deployment: str, decided_on: int) -> PointerMoved:
    """Return the move that points dev at the loaded code, from a revision of the pointer."""
    from tailrace.schemas.records import PointerMoved  # noqa: PLC0415 - as above

    return PointerMoved(
        move_id=new_id(),
        component=component,
        environment=DEV,
        weights={deployment: WHOLE},
        decided_on=decided_on,
        intent="promote",
        actor=DEV,
        actor_kind=AUTOMATON,
        reason="the loaded code registered itself",
        ts=datetime.now(UTC),
    )


@dataclass(frozen=True, slots=True)
class Applied:
    """One record of the control topic that was read."""

    offset: int
    name: str
    """Which record it is, such as `pointer_moved`."""

    record: Mapping[str, Any]
    ruling: Ruling | None
    """What was made of a move; None for any other record."""


def apply(control: Control, offset: int, value: bytes | None) -> Applied | None:
    """Take one record of the topic in; one of a newer kind, or none, is skipped."""
    try:
        schema, record = wire.decode(value or b"")
    except wire.WireError:
        _log.warning("tailrace: the control record at offset %d cannot be read here", offset)
        control.offset = max(control.offset, offset)
        return None
    return Applied(offset, schema.name, record, control.apply(offset, schema.name, record))


def folded(records: Iterable[tuple[int, bytes]]) -> Control:
    """Return the state after these records of the control topic."""
    control = Control()
    for offset, value in records:
        apply(control, offset, value)
    return control
