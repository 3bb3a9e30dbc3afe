"""`tailrace freeze`: have a pointer ignore moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.console.cli.pointing import (
    ComponentArgument,
    DryRunOption,
    Go,
    MovedEnvOption,
    ReasonOption,
    YesOption,
    at_desk,
    moved_target,
    mover,
    set_frozen,
)
from tailrace.producers.routing.moves import freeze

if TYPE_CHECKING:
    from tailrace.producers.routing.desk import ControlDesk


def command(
    component: ComponentArgument,
    *,
    env: MovedEnvOption,
    reason: ReasonOption = "",
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> None:
    """Have a pointer ignore every move until it is unfrozen, except a person's rollback."""

    async def work(desk: ControlDesk) -> None:
        target = moved_target(desk, env, component)
        await set_frozen(desk, target, freeze(target, mover(reason)), go=Go(dry_run, yes))

    at_desk(work)
