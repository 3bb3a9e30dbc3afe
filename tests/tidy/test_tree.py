"""The rules of the tree as a whole: what lies where, and what must be there."""

from __future__ import annotations

import re

from support.repository import ROOT, SOURCE_ROOTS, paths, project, sources

DECISION = re.compile(r"design/(\d{3})-[a-z0-9-]+\.md")
DECISION_SECTIONS = ("## Context", "## Choice", "## Consequence")


def test_nothing_closes_the_namespace() -> None:
    """One `tailrace/__init__.py` would hide the portions of all other folders."""
    assert not [path for path in paths() if path.endswith("tailrace/__init__.py")]


def test_each_source_root_holds_exactly_its_own_portion() -> None:
    """A folder's name is its package's name, so an import says where the file lies."""
    strays = [
        path
        for path in paths()
        if path.split("/")[0] in SOURCE_ROOTS
        and not path.startswith(f"{path.split('/')[0]}/tailrace/{path.split('/')[0]}/")
    ]
    assert not strays
    for folder in SOURCE_ROOTS:
        assert f"{folder}/tailrace/{folder}/__init__.py" in paths()


def test_the_source_roots_are_those_that_are_built_and_checked() -> None:
    """A folder that the wheel, the type checker or the floors forget is a folder without them."""
    tool = project()["tool"]
    assert tuple(tool["hatch"]["build"]["dev-mode-dirs"]) == SOURCE_ROOTS
    wheel = tool["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert wheel == [f"{folder}/tailrace" for folder in SOURCE_ROOTS]
    assert tool["importlinter"]["root_packages"] == [f"tailrace.{f}" for f in SOURCE_ROOTS]
    assert set(SOURCE_ROOTS) <= set(tool["pyright"]["include"])


def test_each_portion_says_that_it_is_typed() -> None:
    """Without the mark, a type checker takes everything from the package for unknown."""
    for folder in SOURCE_ROOTS:
        assert f"{folder}/tailrace/{folder}/py.typed" in paths()


def test_decisions_are_numbered_without_gaps_and_say_context_choice_and_consequence() -> None:
    """The code cites a decision by number; a reader wants to know why, what, and what follows."""
    files = [source for source in sources() if source.name.parts[0] == "design"]
    numbers = [int(match.group(1)) for file in files if (match := DECISION.fullmatch(file.path))]
    assert sorted(numbers) == list(range(1, len(files) + 1)), "design/NNN-title.md, from 001 on"
    for file in files:
        at = [file.text.find(f"\n{section}\n") for section in DECISION_SECTIONS]
        assert -1 not in at, f"{file.path} lacks one of {', '.join(DECISION_SECTIONS)}"
        assert at == sorted(at), f"{file.path}: the sections stand in another order"


def test_every_decision_that_is_cited_exists() -> None:
    """A reference that leads nowhere is worse than none."""
    for source in sources():
        for match in DECISION.finditer(source.text):
            assert match.group() in paths(), f"{source.path} cites {match.group()}"


def test_the_changelog_is_open_for_what_comes_next() -> None:
    """A change is written down with the change, not gathered from memory at a release."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[(.+?)\]", text, flags=re.MULTILINE)
    assert headings[0] == "Unreleased"
    kinds = set(re.findall(r"^### (.+)$", text, flags=re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_licence_is_there_and_is_the_one_that_is_declared() -> None:
    """Without it nobody may use the code."""
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0" in text
    assert project()["project"]["license"] == "Apache-2.0"
