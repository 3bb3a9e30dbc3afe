"""Reads a file and hands its new runs on, a batch at a time; says at the end what became of it.

Where runs go, and which of them are there already, is the `Destination`'s: the log (`log`), or
nothing at all in a dry run. A batch is published before the next one is read, so a file of any
length takes bounded memory, and an import that was broken off goes on where it stopped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from tailrace.console.importing.errors import LineRefusedError
from tailrace.console.importing.lines import Line, read_lines
from tailrace.console.importing.trajectory import Format, Trajectory, parse_trajectory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from tailrace.console.importing.identity import Identity
    from tailrace.console.importing.journal import RecordedRun
    from tailrace.console.importing.plan import Plan

BATCH_RUNS = 64
BATCH_BYTES = 8 * 1024 * 1024
"""A batch ends at this many runs, or at this many bytes of lines, whatever comes first."""


class Destination(Protocol):
    """Where imported runs go."""

    async def known(self, run_ids: Iterable[str]) -> set[str]:
        """Return those of the runs that are there already, whole."""
        ...

    async def register(self, manifest: dict[str, Any], label: str) -> None:
        """Register a recorded-only deployment, unless it is registered."""
        ...

    async def publish(self, runs: Sequence[RecordedRun]) -> None:
        """Publish runs and return when all of them are acknowledged."""
        ...


@dataclass(frozen=True)
class Refusal:
    """A line that was passed over."""

    line: int
    """Its number, from 1."""

    reason: str
    """What is wrong with it."""


@dataclass
class Summary:
    """What became of a file."""

    runs: int = 0
    """Runs that were imported now."""

    messages: int = 0
    """Messages of these runs."""

    events: int = 0
    """Events published."""

    bodies: int = 0
    """Different bodies published."""

    known: int = 0
    """Runs that were there already, or stand in the file more than once."""

    refusals: list[Refusal] = field(default_factory=list[Refusal])
    """The lines that were passed over, in order."""


@dataclass(frozen=True)
class _Read:
    line: int
    trajectory: Trajectory
    identity: Identity


class Importer:
    """One import of one file."""

    def __init__(
        self,
        plan: Plan,
        destination: Destination,
        *,
        form: Format = "auto",
        limit: int | None = None,
        on_line: Callable[[Line], None] | None = None,
    ) -> None:
        """Take what is to be done; `on_line` is told of every line once it is dealt with."""
        self._plan = plan
        self._destination = destination
        self._form: Format = form
        self._limit = limit
        self._on_line = on_line
        self._seen: set[str] = set()
        self._bodies: set[str] = set()
        self._deployments: set[str] = set()
        self.summary = Summary()
        """What became of the lines read so far."""

    async def run(self, path: Path) -> Summary:
        """Import the file.

        Raises:
            ImportFailedError: if it cannot be read, or the destination cannot be reached.
            NotAcknowledgedError: if Kafka does not acknowledge in time; import again then.
        """
        batch: list[_Read] = []
        size = taken = 0
        for line in read_lines(path):
            read = self._read(line)
            if read is not None:
                batch.append(read)
                size += len(line.text) if isinstance(line.text, bytes) else 0
                taken += 1
            if len(batch) >= BATCH_RUNS or size >= BATCH_BYTES:
                await self._take(batch)
                batch, size = [], 0
            if self._on_line is not None:
                self._on_line(line)
            if self._limit is not None and taken >= self._limit:
                break
        await self._take(batch)
        return self.summary

    def _read(self, line: Line) -> _Read | None:
        try:
            if isinstance(line.text, LineRefusedError):
                raise line.text
            trajectory = parse_trajectory(line.text, self._form)
            return _Read(line.number, trajectory, self._plan.identify(trajectory))
        except LineRefusedError as refusal:
            self.summary.refusals.append(Refusal(line.number, refusal.reason))
            return None

    async def _take(self, batch: Sequence[_Read]) -> None:
        known = await self._destination.known([read.identity.run_id for read in batch])
        runs: list[RecordedRun] = []
        for read in batch:
            if read.identity.run_id in known | self._seen:
                self.summary.known += 1
                continue
            try:
                runs.append(self._plan.run(read.trajectory, read.identity, read.line))
            except LineRefusedError as refusal:
                self.summary.refusals.append(Refusal(read.line, refusal.reason))
                continue
            self._seen.add(read.identity.run_id)
            self.summary.messages += len(read.trajectory.messages)
            await self._register(read.identity)
        if runs:
            await self._destination.publish(runs)
        self._count(runs)

    async def _register(self, identity: Identity) -> None:
        manifest = self._plan.manifest(identity)
        if manifest is not None and identity.deployment not in self._deployments:
            label = f"{self._plan.grouping.deployment_by} {identity.deployment}"
            await self._destination.register(manifest, label)
            self._deployments.add(identity.deployment)

    def _count(self, runs: Sequence[RecordedRun]) -> None:
        self._bodies.update(body.sha256 for run in runs for body in run.bodies)
        self.summary.runs += len(runs)
        self.summary.events += sum(len(run.events) for run in runs)
        self.summary.bodies = len(self._bodies)
