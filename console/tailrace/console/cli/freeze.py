"""`tailrace freeze`: have a pointer ignore moves."""

from __future__ import annotations

from tailrace.console.cli.pointing import (
    ComponentArgument,
    DryRunOption,
    MovedEnvOption,
    ReasonOption,
    YesOption,
    change_frozen,
)
from tailrace.producers.routing.moves import freeze


def command(
    component: ComponentArgument,
    *,
    env: MovedEnvOption,
    reason: ReasonOption = "",
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> None:
    """Have a pointer ignore every move until it is unfrozen, except a person's rollback."""
    change_frozen(component, env, freeze, reason=reason, dry_run=dry_run, yes=yes)
