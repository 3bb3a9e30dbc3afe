"""`tailrace rollback`: go back to what stood before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tailrace.console.cli.pointing import (
    ComponentArgument,
    DryRunOption,
    MovedEnvOption,
    ReasonOption,
    YesOption,
    at_desk,
    make_move,
    mover,
)
from tailrace.producers.routing.moves import roll_back

if TYPE_CHECKING:
    from tailrace.producers.routing.desk import ControlDesk


def command(
    component: ComponentArgument,
    *,
    env: MovedEnvOption,
    to: Annotated[
        int | None, typer.Option(metavar="REVISION", help="Go back to this one of the history.")
    ] = None,
    reason: ReasonOption = "",
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> None:
    """Go back to the last deployment that stood at 100% and was not rolled back.

    A canary ends so, too. What is rolled back returns only by a person.
    Works on a frozen pointer. Nothing is built: runs in flight end where they
    are, and new ones begin on what stands then.
    """

    async def work(desk: ControlDesk) -> None:
        move = roll_back(desk.target(env, component), mover(reason), to)
        await make_move(desk, move, dry_run=dry_run, yes=yes)

    at_desk(work)
