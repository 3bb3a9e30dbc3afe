"""The command line as data: its commands with their parameters, and whether a line is one of them.

Nothing is run and no value is converted, so a line that names a file need not have one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import typer.main

from tailrace.console.cli.app import COMMANDS, build_app

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = "tailrace"
UNBOUNDED = -1
_HELP = frozenset({"-h", "--help"})


class NoSuchCommandLineError(Exception):
    """The words are no command, or the command has no such option or place for a word."""


@dataclass(frozen=True)
class Parameter:
    """One option or argument of a command."""

    names: tuple[str, ...]
    """What people type, e.g. `--data`, `-d`; an argument has one name, in capitals."""

    is_option: bool
    """Whether it is named where it is used; else its place tells."""

    values: int
    """How many words it takes: 0 for a flag, `UNBOUNDED` for any number."""

    required: bool
    """Whether it must be there."""

    metavar: str
    """What its value is, e.g. PATH or the choices."""

    default: str
    """What holds where it is not given; empty if nothing, or if that depends on the machine."""

    help: str
    """What it does."""


@dataclass(frozen=True)
class Command:
    """One command, with what its module declares."""

    words: tuple[str, ...]
    """What people type after the program's name."""

    summary: str
    """The line of the overview."""

    help: str
    """The whole text of its help."""

    parameters: tuple[Parameter, ...]
    """Options and arguments, in the order of the code, without hidden ones."""

    @property
    def title(self) -> str:
        """The words with the program's name."""
        return " ".join((PROGRAM, *self.words))

    @property
    def arguments(self) -> list[Parameter]:
        """The parameters that are told by their place."""
        return [parameter for parameter in self.parameters if not parameter.is_option]

    @property
    def options(self) -> list[Parameter]:
        """The parameters that are named."""
        return [parameter for parameter in self.parameters if parameter.is_option]


@cache
def commands() -> tuple[Command, ...]:
    """Return every command, in the order of the help; each one's module is imported."""
    return tuple(_read(tuple(entry.words.split()), entry.help) for entry in COMMANDS)


@cache
def program_options() -> tuple[Parameter, ...]:
    """Return the options that stand before any command."""
    root: Any = typer.main.get_command(build_app([]))
    return _parameters(root)


def check(words: Sequence[str], *, whole: bool = True) -> None:
    """Raise if these words, without the program's name, are no command line.

    With `whole=False` they only name a command, perhaps with some options, and may lack the rest.

    Raises:
        NoSuchCommandLineError: the message names the word that is wrong.
    """
    if not words or words[0].startswith("-"):
        _check_parameters(PROGRAM, program_options(), list(words))
        return
    for command in commands():
        if tuple(words[: len(command.words)]) == command.words:
            rest = list(words[len(command.words) :])
            needed = sum(abs(each.values) for each in command.arguments if each.required)
            given = _check_parameters(command.title, command.parameters, rest)
            if whole and given is not None and given < needed:
                raise NoSuchCommandLineError(f"'{command.title}' needs {needed} words")
            return
    groups = {command.words[0] for command in commands() if len(command.words) > 1}
    if words[0] not in groups or not set(words[1:]) <= _HELP:
        raise NoSuchCommandLineError(f"'{PROGRAM} {' '.join(words)}' begins with no command")


def _read(words: tuple[str, ...], summary: str) -> Command:
    node: Any = typer.main.get_command(build_app(list(words)))
    for word in words:
        node = node.commands[word]
    return Command(words, summary, str(node.help or "").strip(), _parameters(node))


def _parameters(node: Any) -> tuple[Parameter, ...]:
    context: Any = node.context_class(node)
    shown = [each for each in node.params if not each.hidden]
    return tuple(_parameter(each, context) for each in shown)


def _parameter(raw: Any, context: Any) -> Parameter:
    is_option = raw.param_type_name == "option"
    is_flag = is_option and bool(raw.is_flag or raw.count)
    place = str(raw.metavar or raw.name).upper()
    return Parameter(
        names=(*raw.opts, *raw.secondary_opts) if is_option else (place,),
        is_option=is_option,
        values=0 if is_flag else int(raw.nargs),
        required=bool(raw.required),
        metavar="" if is_flag else _metavar(raw, context),
        default=_default(raw, is_flag=is_flag),
        help=str(raw.help or "").strip(),
    )


def _metavar(raw: Any, context: Any) -> str:
    if raw.type_descriptor.is_ranged:
        return f"{'' if raw.min is None else raw.min}…{'' if raw.max is None else raw.max}"
    return str(raw.metavar or raw.display_type(context)).strip("<>").replace("|", " or ")


def _default(raw: Any, *, is_flag: bool) -> str:
    told = getattr(raw, "show_default", None)  # words for a default that is found when it runs
    value: Any = told if isinstance(told, str) else raw.default
    if is_flag or not isinstance(value, str | int | float):
        return ""
    return str(getattr(value, "value", value))


def _check_parameters(title: str, parameters: Sequence[Parameter], rest: list[str]) -> int | None:
    """Return how many words stand for arguments; None if they ask for the help instead."""
    options = {name: each for each in parameters if each.is_option for name in each.names}
    limits = [each.values for each in parameters if not each.is_option]
    given = 0
    while rest:
        word = rest.pop(0)
        if word in _HELP:
            return None
        if not word.startswith("-") or word == "-":
            given += 1
            continue
        name, joined, _ = word.partition("=")
        if name not in options:
            raise NoSuchCommandLineError(f"'{title}' has no option {name}")
        if not joined:
            del rest[: options[name].values]
    if UNBOUNDED not in limits and given > sum(limits):
        raise NoSuchCommandLineError(f"'{title}' takes {sum(limits)} words, not {given}")
    return given
