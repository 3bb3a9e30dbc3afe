"""The record `deployment_registered`, as it lies on the log."""

from typing import ClassVar

from pydantic import AwareDatetime

from tailrace.schemas.records.base import Record


class DeploymentRegistered(Record):
    """An immutable manifest entered the log: from here on a pointer may name it.

    One record for each component of the manifest; registering the same id again changes nothing.
    """

    schema_name: ClassVar[str] = "deployment_registered"

    deployment: str
    """The deployment's id: SHA-256 of the canonical form of what defines behaviour, 64 hex
    digits."""

    component: str
    """The component that this record registers it for; the record's key."""

    components: tuple[str, ...] = ()
    """Every component of the manifest, sorted."""

    manifest: str = ""
    """The manifest as canonical JSON: entry points, config, prompts, models, digests, notes."""

    recorded_only: bool = False
    """Whether it stands for recorded runs alone: it has no entry point and cannot be routed to."""

    label: str = ""
    """A short name for people, such as a version; it is no part of the id."""

    registered_at: AwareDatetime
    """When it was registered, by the registering process's clock, microseconds since the epoch,
    UTC."""

    actor: str = ""
    """The person or automaton that registered it."""

    actor_kind: str = ""
    """What the actor is: person or automaton."""

    tailrace_version: str = ""
    """The version of Tailrace that registered it."""
