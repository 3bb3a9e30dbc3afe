"""From a line of a file to the run that it becomes: what was told about the file, applied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tailrace.console.importing.identity import Grouping, Identity, identify
from tailrace.console.importing.journal import RecordedRun, journal
from tailrace.console.importing.times import RecordedTime, line_time
from tailrace.producers.deployments.manifest import component_manifest, deployment_id
from tailrace.schemas.events import RunFields

if TYPE_CHECKING:
    from tailrace.console.importing.trajectory import Trajectory


@dataclass(frozen=True)
class Plan:
    """How the lines of one file become runs."""

    file_name: str
    """The file's name without its folder, for the attribute `source_file`."""

    grouping: Grouping
    """Which lines belong together."""

    environment: str
    """The environment that the runs are filed under."""

    time: RecordedTime
    """When the runs were, where a line does not say so."""

    def identify(self, trajectory: Trajectory) -> Identity:
        """Return a line's ids. Raises as `identity.identify`."""
        return identify(trajectory, self.grouping)

    def manifest(self, identity: Identity) -> dict[str, Any] | None:
        """Return the manifest of the agent that was recorded; None if no agent is told apart.

        It has no entry point: nothing can be routed to it.
        """
        if self.grouping.deployment_by is None:
            return None
        component = self.grouping.component
        manifest = component_manifest(
            component, entry_point=None, config={}, steps={}, code_digest=""
        )
        # What tells recorded agents apart, as their code is not known.
        manifest["components"][component]["recorded"] = {
            "dataset": self.grouping.dataset,
            self.grouping.deployment_by: identity.deployment,
        }
        return manifest

    def run(self, trajectory: Trajectory, identity: Identity, line: int) -> RecordedRun:
        """Return the run that a line becomes. Raises as `journal.journal`."""
        manifest = self.manifest(identity)
        fields = RunFields(
            trace_id=identity.trace_id,
            run_id=identity.run_id,
            root_run_id=identity.run_id,
            component=self.grouping.component,
            deployment="" if manifest is None else deployment_id(manifest),
            environment=self.environment,
            attempt=identity.attempt,
        )
        source = {
            "source_dataset": self.grouping.dataset,
            "source_file": self.file_name,
            "source_line": str(line),
        }
        return journal(trajectory, fields, line_time(trajectory, self.time), source)
