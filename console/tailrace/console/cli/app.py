"""The commands of `tailrace`: this table names them, each one's code is a file of its own.

To add a command, write `cli/NAME.py` with a function `command` whose parameters are annotated as
Typer documents, and add one line to `COMMANDS`: the words that people type, the module, one line of
help. Two words ("traces ls") make a group, whose own line of help stands in `GROUPS`. A module is
imported only when its command is called, so nothing heavy may be imported here.
"""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class Registered:
    """One command: what is known of it before its module is imported."""

    words: str
    """What people type after `tailrace`: one word, or a group and a word."""
    module: str
    """The module's name within `tailrace.console.cli`."""
    help: str
    """One line for the overview."""


COMMANDS = (
    Registered("up", "up", "Start Kafka, ClickHouse and the sink on this machine."),
    Registered("status", "status", "Say what runs, where, since when."),
    Registered("down", "down", "Stop what `up` started."),
    Registered("backup", "backup", "Write the data folder to one file."),
    Registered("restore", "restore", "Make a data folder from a backup."),
    Registered("topics apply", "topics_apply", "Create missing topics and check the others."),
    Registered("topics ls", "topics_ls", "List the topics."),
    Registered("schemas serve", "schemas_serve", "Serve the schemas as a read-only registry."),
    Registered("gaps", "gaps", "Compare what must be stored with what is."),
    Registered("record", "record", "Show one record as the log has it."),
    Registered("rebuild", "rebuild", "Build tables again from the log."),
    Registered("forget", "forget", "Erase traces."),
    Registered("import", "import_", "Import recorded chat trajectories."),
    Registered("sink", "sink", "Store the log in ClickHouse."),
    Registered("stream", "stream", "Tell which executions ended; roll the health."),
    Registered("top", "top", "Show how every deployment is doing, live."),
    Registered("migrate", "migrate", "Create or update the tables in ClickHouse."),
    Registered("migrate-log", "migrate_log", "Move the log to another cluster."),
    Registered("dead-letters ls", "dead_letters_ls", "List what could not be stored."),
    Registered("dead-letters show", "dead_letters_show", "Show one such record and its bytes."),
    Registered("dead-letters retry", "dead_letters_retry", "Send records to their topics again."),
    Registered("dead-letters drop", "dead_letters_drop", "Mark dead letters as done with."),
    Registered("deploy", "deploy", "Register a deployment and point an environment at it."),
    Registered("promote", "promote", "Point an environment at what another one runs."),
    Registered("rollback", "rollback", "Go back to what stood before."),
    Registered("pointers", "pointers", "List what new runs are routed to."),
    Registered("history", "history", "Show who moved which pointer, when and why."),
    Registered("freeze", "freeze", "Have a pointer ignore moves."),
    Registered("unfreeze", "unfreeze", "Have a frozen pointer take moves again."),
    Registered("deployments ls", "deployments_ls", "List what was registered."),
    Registered("deployments show", "deployments_show", "Show one deployment."),
    Registered("deployments diff", "deployments_diff", "Show what tells two apart."),
    Registered("route explain", "route_explain", "Say why a key goes where it goes."),
    Registered("worker", "worker", "Run what is dispatched to a deployment."),
    Registered("requests ls", "requests_ls", "List what waits for workers."),
    Registered("traces ls", "traces_ls", "List executions."),
    Registered("traces show", "traces_show", "Show one trace."),
    Registered("traces export", "traces_export", "Write traces to a file."),
)
GROUPS = {
    "deployments": "Look at what was registered.",
    "requests": "Look at what was dispatched.",
    "route": "Look at where runs go.",
    "dead-letters": "Look at what could not be stored, and decide about it.",
    "topics": "Create and check the topics.",
    "traces": "List, show and export traces.",
    "schemas": "Look at the schemas of the log.",
}


def build_app(arguments: Sequence[str], commands: Sequence[Registered] = COMMANDS) -> typer.Typer:
    """Return the application; only the module of the command that `arguments` name is imported."""
    app = _typer("The improvement loop for agent fleets, run on a log.")
    app.callback()(_root)
    called = _called(arguments, commands)
    groups: dict[str, typer.Typer] = {}
    for entry in commands:
        group, _, word = entry.words.rpartition(" ")
        if group and group not in groups:
            groups[group] = _typer(GROUPS[group])
            app.add_typer(groups[group], name=group)
        function = load(entry) if entry is called else _unloaded
        register = (groups[group] if group else app).command
        register(word, help=_paragraphs(function), short_help=entry.help)(function)
    return app


def load(entry: Registered) -> Callable[..., None]:
    """Import a command's module and return its function."""
    function: Callable[..., None] = import_module(f"tailrace.console.cli.{entry.module}").command
    return function


def _typer(text: str) -> typer.Typer:
    return typer.Typer(
        help=text,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _called(arguments: Sequence[str], commands: Sequence[Registered]) -> Registered | None:
    # The root and the groups have no options with a value, so words before a command are its name.
    words = [argument for argument in arguments if not argument.startswith("-")]
    for count in (2, 1):
        name = " ".join(words[:count])
        for entry in commands:
            if entry.words == name:
                return entry
    return None


def _paragraphs(function: Callable[..., None]) -> str | None:
    """Return the docstring with a line a paragraph, for the terminal to break where it is wide."""
    text = inspect.getdoc(function)
    return text and "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _unloaded() -> None:
    raise AssertionError("a command ran whose module was not imported")


def _show_version(asked: bool) -> None:  # noqa: FBT001 - the shape of a Typer callback
    if asked:
        sys.stdout.write(f"tailrace {version('tailrace')}\n")
        raise typer.Exit


def _root(
    *,
    _: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Take the options that stand before any command."""
