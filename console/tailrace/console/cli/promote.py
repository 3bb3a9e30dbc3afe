"""`tailrace promote`: point an environment at what another one runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tailrace.console.cli.pointing import (
    ComponentArgument,
    DryRunOption,
    ReasonOption,
    WeightOption,
    YesOption,
    at_desk,
    find_deployment,
    make_move,
    moved_target,
    mover,
    not_dev,
)
from tailrace.console.report.pointers import share_text
from tailrace.producers.routing.moves import MoveError, promote
from tailrace.producers.routing.pointers import WHOLE

if TYPE_CHECKING:
    from tailrace.producers.routing.desk import ControlDesk


def command(
    component: ComponentArgument,
    *,
    to: Annotated[
        str,
        typer.Option("--to", metavar="NAME", callback=not_dev, help="The environment to move."),
    ],
    from_: Annotated[
        str | None, typer.Option("--from", metavar="NAME", help="The environment to take from.")
    ] = None,
    deployment: Annotated[
        str | None, typer.Option(metavar="ID", help="The deployment, in place of --from.")
    ] = None,
    weight: WeightOption = WHOLE,
    reason: ReasonOption = "",
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> None:
    """Point an environment at the deployment that another one runs.

    With a --weight below 100% it becomes a canary, or the canary grows.
    """
    if (from_ is None) == (deployment is None):
        raise typer.BadParameter("name either --from ENVIRONMENT or --deployment ID")

    async def work(desk: ControlDesk) -> None:
        if deployment is not None:
            found = find_deployment(desk.control, deployment, component)
        else:
            found = _running(desk, from_ or "", component)
        move = promote(desk.target(to, component), found, mover(reason), weight)
        await make_move(desk, move, dry_run=dry_run, yes=yes)

    at_desk(work)


def _running(desk: ControlDesk, environment: str, component: str) -> str:
    now = moved_target(desk, environment, component).pointer.current
    assert now is not None
    if now.whole is None:
        raise MoveError(
            f"{component} in {environment} is shared by {share_text(now.weights)}: name one with "
            "--deployment"
        )
    return now.whole
