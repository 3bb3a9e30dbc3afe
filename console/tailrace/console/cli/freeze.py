"""`tailrace freeze`: have a pointer ignore moves."""

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
from tailrace.console.report.printable import one_line
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
        frozen = target.pointer.frozen
        if frozen is not None:
            sys.stdout.write(f"{target} is frozen already, by {one_line(frozen['actor'])}\n")
            return
        if dry_run:
            sys.stdout.write(f"would freeze {target}\n")
            return
        confirm(env, f"freeze {target}", yes=yes)
        await desk.append(freeze(target, mover(reason)), component)
        sys.stdout.write(f"froze {target}\n")

    at_desk(work)
