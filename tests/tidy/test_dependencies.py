"""What the parts may import, and that every installation is the one that was tested."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.metadata import packages_distributions
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from support.repository import ROOT, SOURCE_ROOTS, Source, extras, modules, project

if TYPE_CHECKING:
    from collections.abc import Iterator

# The extras that a folder may import from, beside the base dependencies.
EXTRAS_OF = {
    "schemas": (),
    "producers": ("otel",),
    "streams": ("streams",),
    "sinks": ("sinks",),
    "evals": ("evals", "judge"),
    "console": ("console", "local"),
}
# Modules of Python itself that the one running here may be too old to list.
NEWER_STDLIB = {"compression"}
# Distributions that a requirement brings along as a part of itself.
PARTS_OF = {
    "pydantic": {"pydantic-core", "typing-extensions"},
    "chdb": {"chdb-core"},
    "faust-streaming": {"mode-streaming"},
    "typer": {"click"},
}


def _pins() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    pins: dict[str, Version] = {}
    for requirement in requirements:
        (specifier,) = requirement.specifier
        assert specifier.operator == "==", f"{requirement} is no exact pin"
        pins[canonicalize_name(requirement.name)] = Version(specifier.version)
    return pins


def _requirements(extra: str | None) -> Iterator[Requirement]:
    """Yield what an extra asks for, with the extras of our own that it names; None is the base."""
    stated = project()["project"]["dependencies"] if extra is None else extras()[extra]
    for requirement in map(Requirement, stated):
        if requirement.name == "tailrace":
            for named in sorted(requirement.extras):
                yield from _requirements(named)
        else:
            yield requirement


def _every_requirement() -> Iterator[Requirement]:
    yield from _requirements(None)
    for extra in extras():
        yield from _requirements(extra)
    yield from map(Requirement, project()["build-system"]["requires"])


def test_every_requirement_is_pinned_to_a_version_that_it_allows() -> None:
    """The versions that were tested are the versions that are installed."""
    pins = _pins()
    for requirement in _every_requirement():
        name = canonicalize_name(requirement.name)
        assert name in pins, f"{name} has no line in constraints.txt: run make pins"
        assert pins[name] in requirement.specifier, f"constraints.txt has {name} {pins[name]}"


def test_the_constraints_name_versions_and_no_addresses() -> None:
    """An address would bypass the mirror of whoever installs."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert " @ " not in text
    assert "--" not in text


def test_the_extra_for_everything_names_every_extra_for_use() -> None:
    """`[all]` that forgets a part installs a command line with holes."""
    (everything,) = (Requirement(stated) for stated in extras()["all"])
    assert everything.extras == set(extras()) - {"all", "dev"}


def test_no_folder_imports_from_a_floor_above_it() -> None:
    """Whoever changes a floor needs to know only those above it."""
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def _imported(module: Source) -> Iterator[tuple[int, str]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.path}:{node.lineno}: name the module in full"
            assert node.module
            yield node.lineno, node.module.partition(".")[0]


def _allowed(folder: str) -> set[str]:
    names: set[str] = set()
    for extra in (None, *EXTRAS_OF[folder]):
        for requirement in _requirements(extra):
            name = canonicalize_name(requirement.name)
            names |= {name} | PARTS_OF.get(name, set())
    return names


@pytest.mark.parametrize("folder", SOURCE_ROOTS)
def test_a_folder_imports_only_what_its_extras_install(folder: str) -> None:
    """An import that works here, where all is installed, must work where only the extra is."""
    providers = packages_distributions()
    allowed = _allowed(folder)
    strays: list[str] = []
    for module in modules():
        if module.source_root != folder:
            continue
        for line, name in _imported(module):
            if name in {*sys.stdlib_module_names, *NEWER_STDLIB, "tailrace"}:
                continue
            dists = {canonicalize_name(provider) for provider in providers.get(name, ())}
            if not dists & allowed:
                strays.append(f"{module.path}:{line}: {name}")
    assert not strays, "\n" + "\n".join(strays)
