"""`tailrace unfreeze`: have a frozen pointer take moves again."""

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
from tailrace.producers.routing.moves import unfreeze

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
    """Have a frozen pointer take moves again."""

    async def work(desk: ControlDesk) -> None:
        target = moved_target(desk, env, component)
        await set_frozen(desk, target, unfreeze(target, mover(reason)), go=Go(dry_run, yes))

    at_desk(work)
