"""What the commands of pointers share: options, the desk, who decides, asking before."""

from __future__ import annotations

import asyncio
import re
import sys
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from tailrace.console.actor import actor
from tailrace.console.report.pointers import share_text, short
from tailrace.console.report.printable import one_line
from tailrace.producers.routing.control import DEV
from tailrace.producers.routing.desk import ControlDesk
from tailrace.producers.routing.moves import MoveError, Mover, Target
from tailrace.producers.routing.pointers import WHOLE
from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tailrace.producers.routing.control import Applied
    from tailrace.producers.routing.pointers import Control
    from tailrace.schemas.records import PointerFrozen, PointerMoved, PointerUnfrozen

T = TypeVar("T")

PRODUCTION = frozenset({"prod", "production"})
"""The environments in which a command asks before it changes anything."""

_WEIGHT = re.compile(r"(\d{1,3}(?:\.\d{1,2})?)\s*%?")
_PERCENT = 100


class NoSuchDeploymentError(TailraceError):
    """No deployment, or more than one, has an id that begins so."""


class NotConfirmedError(TailraceError):
    """Nobody said yes."""


def parse_weight(text: str | int) -> int:
    """Return a share such as `5%` in parts of ten thousand; a default is that already.

    Raises:
        typer.BadParameter: if it is none.
    """
    if isinstance(text, int):
        return text
    found = _WEIGHT.fullmatch(text.strip())
    weight = round(float(found[1]) * _PERCENT) if found else 0
    if not 0 < weight <= WHOLE:
        raise typer.BadParameter(f"{text!r} is no share: write it like 5% or 12.5%")
    return weight


def not_dev(environment: str) -> str:
    """Return an environment whose pointers people move.

    Raises:
        typer.BadParameter: for dev, which the next run of the loaded code points at itself.
    """
    if environment == DEV:
        raise typer.BadParameter(
            "in dev the loaded code points the environment at itself: name another one"
        )
    return environment


ComponentArgument = Annotated[str, typer.Argument(metavar="COMPONENT", help="The component.")]
EnvOption = Annotated[str, typer.Option("--env", metavar="NAME", help="The environment.")]
MovedEnvOption = Annotated[
    str,
    typer.Option("--env", metavar="NAME", callback=not_dev, help="The environment, but not dev."),
]
WeightOption = Annotated[
    int,
    typer.Option(
        parser=parse_weight, metavar="SHARE", help="Of the new runs, such as 5%; less is a canary."
    ),
]
ReasonOption = Annotated[str, typer.Option(help="Why, for whoever reads the history.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask about production.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would be, and do nothing.")]
OnlyComponentArgument = Annotated[
    str | None, typer.Argument(metavar="COMPONENT", help="Only this one's.")
]
OnlyEnvOption = Annotated[
    str | None, typer.Option("--env", metavar="NAME", help="Only this environment's.")
]
LimitOption = Annotated[int, typer.Option(min=1, help="At most so many, the newest.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]


def at_desk(
    work: Callable[[ControlDesk], Awaitable[T]],
    on_record: Callable[[Applied], None] | None = None,
) -> T:
    """Run something at a desk that has read the control topic to its end."""

    async def main() -> T:
        async with ControlDesk(on_record=on_record) as desk:
            return await work(desk)

    return asyncio.run(main())


def mover(reason: str) -> Mover:
    """Return whoever runs this command, as a person who moves pointers."""
    return Mover(actor() or "unknown", reason)


def confirm(environment: str, what: str, *, yes: bool) -> None:
    """Ask before something is changed in production.

    Raises:
        NotConfirmedError: if nobody says yes.
    """
    if yes or environment.lower() not in PRODUCTION:
        return
    if not sys.stdin.isatty():
        raise NotConfirmedError(f"nothing was done: {what} needs --yes where nobody can be asked")
    if not typer.confirm(f"{what}?", err=True):
        raise NotConfirmedError("nothing was done")


def find_deployment(control: Control, text: str, component: str | None = None) -> str:
    """Return the id of the one registered deployment whose id begins so.

    Raises:
        NoSuchDeploymentError: if none or several do.
    """
    found = sorted(
        {
            deployment
            for named, deployment in control.deployments
            if deployment.startswith(text.lower()) and component in {None, named}
        }
    )
    if len(found) == 1:
        return found[0]
    whose = "" if component is None else f" of {component}"
    if not found:
        raise NoSuchDeploymentError(
            f"no deployment{whose} has an id that begins with {text!r}: see "
            "`tailrace deployments ls`"
        )
    raise NoSuchDeploymentError(
        f"{len(found)} deployments{whose} have ids that begin with {text!r}: "
        f"{', '.join(map(short, found[:4]))}"
    )


def moved_target(desk: ControlDesk, environment: str, component: str) -> Target:
    """Return a pointer that says something already.

    Raises:
        MoveError: if there is none.
    """
    target = desk.target(environment, component)
    if target.pointer.current is None:
        raise MoveError(f"{component} has no pointer in {environment}: see `tailrace pointers`")
    return target


async def make_move(desk: ControlDesk, move: PointerMoved, *, dry_run: bool, yes: bool) -> None:
    """Ask, move and say what became of it; with `dry_run` say what would be.

    A pointer that says so already is left alone.
    """
    before = dict(desk.target(move.environment, move.component).pointer.weights)
    pointer = f"{move.component} in {move.environment}"
    if before == move.weights:
        sys.stdout.write(f"{pointer} stands at {share_text(before)} already\n")
        return
    change = f"{pointer}: {share_text(before) if before else 'nothing'} -> "
    change += share_text(move.weights)
    if dry_run:
        sys.stdout.write(f"would move {change}\n")
        return
    confirm(move.environment, f"move {change}", yes=yes)
    revision = await desk.move(move)
    sys.stdout.write(f"moved {change} (revision {revision})\n")


def change_frozen(
    component: str,
    environment: str,
    decide: Callable[[Target, Mover], PointerFrozen | PointerUnfrozen],
    *,
    reason: str,
    dry_run: bool,
    yes: bool,
) -> None:
    """Freeze or unfreeze a pointer and say so; one that is so already is left alone."""

    async def work(desk: ControlDesk) -> None:
        target = moved_target(desk, environment, component)
        record = decide(target, mover(reason))
        freezing = record.schema_name == "pointer_frozen"
        verb, done = ("freeze", "froze") if freezing else ("unfreeze", "unfroze")
        frozen = target.pointer.frozen
        if freezing == (frozen is not None):
            by = "" if frozen is None else f" already, by {one_line(frozen['actor'])}"
            sys.stdout.write(f"{target} is {'frozen' if freezing else 'not frozen'}{by}\n")
            return
        if dry_run:
            sys.stdout.write(f"would {verb} {target}\n")
            return
        confirm(environment, f"{verb} {target}", yes=yes)
        await desk.append(record, component)
        sys.stdout.write(f"{done} {target}\n")

    at_desk(work)
