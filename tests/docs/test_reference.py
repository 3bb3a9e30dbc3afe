from __future__ import annotations

import pytest

from reference_pages import command_line, pages
from reference_pages.command_line import NoSuchCommandLineError


@pytest.mark.parametrize("name", pages.PAGES)
def test_a_committed_page_says_what_the_code_says(name: str) -> None:
    committed = (pages.FOLDER / name).read_text(encoding="utf-8")
    assert committed == pages.PAGES[name](), "run make docs and commit what it writes"


def test_no_page_is_left_of_what_is_gone() -> None:
    assert {path.name for path in pages.FOLDER.glob("*")} == set(pages.PAGES)


def test_every_command_says_what_it_does() -> None:
    silent = [each.title for each in command_line.commands() if not (each.help and each.summary)]
    assert not silent


def test_every_option_and_argument_says_what_it_means() -> None:
    silent = [
        f"{command.title} {parameter.names[0]}"
        for command in command_line.commands()
        for parameter in command.parameters
        if not parameter.help
    ]
    assert not silent


@pytest.mark.parametrize(
    "words", ["frobnicate", "up --frobnicate", "up one two three", "traces x", "backup"]
)
def test_a_line_that_is_no_command_is_found(words: str) -> None:
    with pytest.raises(NoSuchCommandLineError):
        command_line.check(words.split())


@pytest.mark.parametrize("words", ["--version", "--help", "up --help", "status --json", ""])
def test_a_line_that_is_a_command_is_let_be(words: str) -> None:
    command_line.check(words.split())


def test_a_line_that_only_names_a_command_may_lack_what_it_needs() -> None:
    command_line.check(["backup"], whole=False)
