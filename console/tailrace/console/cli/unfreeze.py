"""`tailrace unfreeze`: have a frozen pointer take moves again."""

from __future__ import annotations

from tailrace.console.cli.pointing import (
    ComponentArgument,
    DryRunOption,
    MovedEnvOption,
    ReasonOption,
    YesOption,
    change_frozen,
)
from tailrace.producers.routing.moves import unfreeze


def command(
    component: ComponentArgument,
    *,
    env: MovedEnvOption,
    reason: ReasonOption = "",
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> None:
    """Have a frozen pointer take moves again."""
    change_frozen(component, env, unfreeze, reason=reason, dry_run=dry_run, yes=yes)
