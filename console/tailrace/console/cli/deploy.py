"""`tailrace deploy`: register a manifest and point an environment at it."""

from __future__ import annotations

import sys
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tailrace.console.cli.pointing import (
    DryRunOption,
    MovedEnvOption,
    ReasonOption,
    WeightOption,
    YesOption,
    at_desk,
    confirm,
    make_move,
    mover,
)
from tailrace.console.report.amounts import plural
from tailrace.console.report.pointers import short
from tailrace.console.report.printable import json_text, one_line
from tailrace.producers.deployments.manifest import components as manifest_components
from tailrace.producers.deployments.manifest import deployment_id
from tailrace.producers.deployments.manifest_file import read_manifest
from tailrace.producers.deployments.source import source_of
from tailrace.producers.deployments.whole_manifest import whole
from tailrace.producers.routing.moves import Target, promote
from tailrace.producers.routing.pointers import WHOLE

if TYPE_CHECKING:
    from tailrace.producers.deployments.whole_manifest import WholeManifest
    from tailrace.producers.routing.desk import ControlDesk
    from tailrace.producers.routing.moves import Mover


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The manifest, in TOML.")],
    *,
    env: MovedEnvOption,
    component: Annotated[
        list[str] | None,
        typer.Option(
            "--component", "-c", metavar="NAME", help="Point only this one at it; repeatable."
        ),
    ] = None,
    weight: WeightOption = WHOLE,
    label: Annotated[
        str | None, typer.Option(help="A short name for people; the file's when left out.")
    ] = None,
    reason: ReasonOption = "",
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    show: Annotated[bool, typer.Option("--show", help="Print the whole manifest first.")] = False,
) -> None:
    """Register a deployment and point an environment at it.

    The manifest names components, where their code is, and their config,
    prompts, models and tools; digests of the code are taken from the code
    itself, so run this where it is. The same content is the same deployment.

    With a --weight below 100% it becomes a canary, which takes that share of
    the new runs; a further deploy or promote grows it, and who was in it
    stays. Runs in flight stay where they are.
    """
    manifest = whole(read_manifest(file), source_of(Path.cwd()))
    if label is not None:
        manifest = type(manifest)(label, manifest.content)
    if show:
        sys.stdout.write(json_text(manifest.content, indent=2) + "\n")
    names = manifest_components(manifest.content)
    unknown = sorted({*(component or ())}.difference(names))
    if unknown:
        raise typer.BadParameter(f"{file} has no component {unknown[0]!r}: {', '.join(names)}")
    asked = _Asked(env, tuple(component or names), weight, mover(reason), dry_run, yes)
    at_desk(lambda desk: _deploy(desk, manifest, asked))


@dataclass(frozen=True, slots=True)
class _Asked:
    env: str
    components: tuple[str, ...]
    """Whose pointers move."""

    weight: int
    by: Mover
    dry_run: bool
    yes: bool


async def _deploy(desk: ControlDesk, manifest: WholeManifest, asked: _Asked) -> None:
    deployment = deployment_id(manifest.content)
    names = manifest_components(manifest.content)
    said = f"{short(deployment)} ({plural(len(names), 'component')}: {', '.join(names)})"
    # Decided before anything is written: what cannot be moved is not registered, and what
    # somebody agreed to is done, or is stale.
    known = copy(desk.control)
    known.deployments = {
        **{(name, deployment): {"recorded_only": False} for name in names},
        **desk.control.deployments,
    }
    moves = [
        promote(Target(known, asked.env, name), deployment, asked.by, asked.weight)
        for name in sorted({*asked.components})
    ]
    if asked.dry_run:
        new = known.deployments.keys() - desk.control.deployments.keys()
        sys.stdout.write(f"{'would register' if new else 'is registered'}: {said}\n")
    else:
        what = f"deploy {said} to {asked.env} at {asked.weight / 100:g}%"
        confirm(asked.env, what, yes=asked.yes)
        _, added = await desk.register(manifest.content, label=manifest.label, mover=asked.by)
        sys.stdout.write(f"{'registered' if added else 'was registered'}: {said}\n")
    label = desk.control.deployments.get((names[0], deployment), {}).get("label", "")
    if manifest.label and label not in {"", manifest.label}:
        sys.stderr.write(f"it keeps the label that it was registered with: {one_line(label)}\n")
    for move in moves:
        await make_move(desk, move, dry_run=asked.dry_run, yes=True)
