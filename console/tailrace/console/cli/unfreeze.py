"""`tailrace unfreeze`: have a frozen pointer take moves again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tailrace.console.cli.pointing import (
    ComponentArgument,
    DryRunOption,
    MovedEnvOption,
    ReasonOption,
    YesOption,
    at_desk,
    confirm,
    moved_target,
    mover,
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
        if target.pointer.frozen is None:
            sys.stdout.write(f"{target} is not frozen\n")
            return
        if dry_run:
            sys.stdout.write(f"would unfreeze {target}\n")
            return
        confirm(env, f"unfreeze {target}", yes=yes)
        await desk.append(unfreeze(target, mover(reason)), component)
        sys.stdout.write(f"unfroze {target}\n")

    at_desk(work)
