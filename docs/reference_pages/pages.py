"""Which pages there are and what is on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reference_pages import markdown
from reference_pages.command_line import Command, Parameter, commands, program_options
from reference_pages.record_pages import records_page, tables_page
from tailrace.schemas.metrics import METRICS
from tailrace.schemas.names import GROUPS
from tailrace.schemas.settings import SETTINGS
from tailrace.schemas.topics import TOPICS, Topic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FOLDER = Path(__file__).resolve().parents[1] / "reference"

EXIT_CODES = (
    ("0", "done"),
    ("1", "an error that the text explains"),
    ("64", "wrong usage: an unknown command, option or value"),
    ("130", "interrupted"),
)


def write() -> list[Path]:
    """Write every page and return their paths; a page that is no longer made is removed."""
    FOLDER.mkdir(exist_ok=True)
    made = {FOLDER / name: make() for name, make in PAGES.items()}
    for path in FOLDER.glob("*.md"):
        if path not in made:
            path.unlink()
    for path, text in made.items():
        path.write_text(text, encoding="utf-8")
    return list(made)


def cli_page() -> str:
    """Return the page of the command line: every command with every option."""
    rows = ((f"[`{each.title}`](#{_anchor(each)})", each.summary) for each in commands())
    overview = markdown.table(("command", "what it does"), rows)
    codes = "Exit codes: " + ", ".join(f"{code} {what}" for code, what in EXIT_CODES) + "."
    return markdown.page(
        "The command line",
        overview,
        "Options before any command:",
        _options(program_options()),
        codes,
        *(_command(each) for each in commands()),
    )


def topics_page() -> str:
    """Return the page of the topics of the log."""
    return markdown.page(
        "The topics",
        "Each name carries the prefix of `TAILRACE_PREFIX`. N partitions are as many as "
        "`tailrace topics apply` is told; records of one key are in one order.",
        markdown.table(("topic", "key", "partitions", "retention", "what lies in it"), _topics()),
    )


def settings_page() -> str:
    """Return the page of the environment variables."""
    rows = ((markdown.code(each.name), each.unset, each.doc) for each in SETTINGS)
    return markdown.page(
        "The settings",
        "Environment variables, read by every process of Tailrace. An option of a command or an "
        "argument in code comes before them.",
        markdown.table(("variable", "where it is not set", "meaning"), rows),
    )


def groups_page() -> str:
    """Return the page of the consumer groups."""
    rows = (
        (
            markdown.code(each.suffix),
            ", ".join(markdown.code(topic.suffix) for topic in each.reads),
            each.doc,
        )
        for each in GROUPS
    )
    return markdown.page(
        "The consumer groups",
        "Each name carries the prefix of `TAILRACE_PREFIX`, as the topics' names do.",
        markdown.table(("group", "reads", "what it does, and what its commits mean"), rows),
    )


def metrics_page() -> str:
    """Return the page of the metrics."""
    rows = (
        (
            markdown.code(each.name),
            each.kind,
            ", ".join(markdown.code(label) for label in each.labels),
            each.doc,
        )
        for each in METRICS
    )
    return markdown.page(
        "The metrics",
        "Names and labels as a Prometheus exporter shows them.",
        markdown.table(("metric", "kind", "labels", "meaning"), rows),
    )


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": cli_page,
    "groups.md": groups_page,
    "metrics.md": metrics_page,
    "records.md": records_page,
    "settings.md": settings_page,
    "tables.md": tables_page,
    "topics.md": topics_page,
}


def _topics() -> Iterable[tuple[str, ...]]:
    topic: Topic
    for topic in TOPICS:
        partitions = "1" if topic.single_partition else "N"
        yield markdown.code(topic.suffix), topic.key, partitions, topic.retention, topic.doc


def _anchor(command: Command) -> str:
    return command.title.replace(" ", "-")


def _command(command: Command) -> str:
    places = [_usage(argument) for argument in command.arguments]
    usage = " ".join([command.title, *(["[OPTIONS]"] if command.options else []), *places])
    parts = [f"## {command.title}", f"```text\n{usage}\n```", command.help or command.summary]
    arguments = (
        (markdown.code(each.names[0]), "yes" if each.required else "no", each.help)
        for each in command.arguments
    )
    parts += [markdown.table(("argument", "required", "meaning"), arguments)]
    parts += [_options(command.options)]
    return "\n\n".join(part for part in parts if part)


def _options(options: Iterable[Parameter]) -> str:
    rows = (
        (
            ", ".join(markdown.code(name) for name in each.names),
            each.metavar or "flag",
            "required" if each.required else markdown.code(each.default),
            each.help,
        )
        for each in options
    )
    return markdown.table(("option", "value", "default", "meaning"), rows)


def _usage(argument: Parameter) -> str:
    name = argument.names[0] + ("..." if argument.values < 0 else "")
    return name if argument.required else f"[{name}]"
