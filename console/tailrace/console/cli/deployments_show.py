"""`tailrace deployments show`: one deployment whole."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tailrace.console.cli.pointing import at_desk, find_deployment
from tailrace.console.report.deployments import deployment_rows, deployment_text
from tailrace.console.report.printable import json_text
from tailrace.console.report.printing import print_lines
from tailrace.producers.deployments.manifest import registered_manifest

if TYPE_CHECKING:
    from tailrace.producers.routing.desk import ControlDesk

DeploymentArgument = Annotated[
    str, typer.Argument(metavar="ID", help="Its id, or how that begins.")
]


def command(
    deployment: DeploymentArgument,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
) -> None:
    """Show a deployment: who registered it, what it takes, and its manifest."""

    async def read(desk: ControlDesk) -> None:
        found = find_deployment(desk.control, deployment)
        manifest = registered_manifest(desk.control.deployments, found)
        if json:
            sys.stdout.write(json_text(manifest, indent=2) + "\n")
            return
        row = deployment_rows(desk.control)[found]
        print_lines(lambda _: list(deployment_text(row, manifest)))

    at_desk(read)
