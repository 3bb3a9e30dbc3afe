"""`tailrace deployments diff`: what tells two deployments apart."""

import json as json_format
import sys

from tailrace.console.cli.deployments_show import DeploymentArgument
from tailrace.console.cli.pointing import JsonOption, at_desk, find_deployment
from tailrace.console.report.deployments import (
    compared_lines,
    deployment_rows,
    difference_lines,
    difference_record,
)
from tailrace.console.report.printing import print_lines
from tailrace.producers.deployments.differences import differences
from tailrace.producers.deployments.manifest import registered_manifest
from tailrace.producers.routing.desk import ControlDesk


def command(
    before: DeploymentArgument, after: DeploymentArgument, *, json: JsonOption = False
) -> None:
    """Show what changed from one deployment to another.

    Prompts, config, models, tools, steps and code, by component. A step is
    said to have changed when its definition's digest did.
    """

    async def read(desk: ControlDesk) -> None:
        ids = [find_deployment(desk.control, text) for text in (before, after)]
        one, other = (registered_manifest(desk.control.deployments, each) for each in ids)
        found = differences(one, other)
        if json:
            sys.stdout.writelines(
                json_format.dumps(difference_record(each)) + "\n" for each in found
            )
        elif found:
            rows = deployment_rows(desk.control)
            compared = compared_lines([rows[each] for each in ids], (one, other))
            print_lines(lambda _: [*compared, *difference_lines(found)])
        else:
            sys.stderr.write("they behave the same\n")

    at_desk(read)
