"""`tailrace route explain`: why a key goes where it goes."""

from __future__ import annotations

import json as json_format
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tailrace.console.cli.pointing import ComponentArgument, EnvOption, JsonOption, at_desk
from tailrace.console.report.pointers import share_text, short
from tailrace.console.report.printable import one_line, printable
from tailrace.producers.options import RunOptions
from tailrace.producers.routing.moves import MoveError

if TYPE_CHECKING:
    from tailrace.producers.routing.desk import ControlDesk
    from tailrace.producers.routing.pointers import Standing


def command(
    component: ComponentArgument,
    *,
    key: Annotated[str, typer.Option("--key", help="The routing key, as the caller gives it.")],
    env: EnvOption,
    at: Annotated[
        int | None,
        typer.Option("--at", metavar="OFFSET", help="As of this control offset of a run."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Say which deployment a key goes to, and why.

    The key is what run_options(routing_key=...) was given, else the session,
    else the trace id. Each deployment draws a number from the rollout's salt,
    its own id and the hashed key; weight / -ln(number) is its score, and the
    highest takes the run.
    """

    async def read(desk: ControlDesk) -> None:
        offset = desk.control.offset if at is None else at
        if offset > desk.control.offset:
            raise MoveError(
                f"the control topic ends at offset {desk.control.offset}, before {offset}"
            )
        pointer = desk.target(env, component).pointer
        standing = pointer.as_of(offset)
        if standing is None:
            raise MoveError(
                f"{component} has no pointer in {env} at control offset {offset}: see "
                "`tailrace history`"
            )
        found = _explained(standing, key, offset)
        if json:
            sys.stdout.write(json_format.dumps(found) + "\n")
        else:
            sys.stdout.write(_text(found, standing, f"{component} in {env}"))

    at_desk(read)


def _explained(standing: Standing, key: str, offset: int) -> dict[str, Any]:
    hashed = RunOptions(routing_key=key).routing_hash("")
    move = standing.move
    return {
        "deployment": standing.arms.choose(hashed),
        "routing_key": hashed,
        "control_offset": offset,
        "revision": standing.revision,
        "weights": {name: weight / 10_000 for name, weight in standing.weights.items()},
        "salt": standing.salt,
        "scores": {name: score for score, name in standing.arms.scores(hashed)},
        "moved_by": move["actor"],
        "moved_at": move["ts"].isoformat(),
        "intent": move["intent"],
        "reason": move["reason"],
    }


def _text(found: dict[str, Any], standing: Standing, pointer: str) -> str:
    how = f"{found['moved_by']} ({found['intent']})"
    why = f": {found['reason']}" if found["reason"] else ""
    lines = [
        f"{pointer}: the key goes to {short(found['deployment'])}",
        f"  hashed key  {found['routing_key']}",
        f"  pointer     revision {found['revision']}, at control offset {found['control_offset']}",
        f"  moved       {standing.move['ts']:%Y-%m-%d %H:%M} UTC by {one_line(how + why)}",
        f"  weights     {share_text(standing.weights)}",
    ]
    if standing.whole is None:
        lines.append(f"  salt        {found['salt']}")
        by_score = sorted(found["scores"].items(), key=lambda each: -each[1])
        lines += [f"  score       {short(name)} {score:,.1f}" for name, score in by_score]
    return printable("\n".join(lines)) + "\n"
