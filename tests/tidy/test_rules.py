"""The rules that hold for each file by itself; a rule's reason stands in its test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support import tidiness
from support.repository import Source, modules, sources

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.tidiness import Rule

# ruff measures the Python modules; these it does not read.
SUFFIXES_OF_CODE = (".sql", ".sh", ".yml", ".yaml", ".xml", "Makefile", "Dockerfile", "/run")


def _hold(rule: Rule, where: Callable[[Source], bool], *, among: tuple[Source, ...]) -> None:
    found = [finding for source in among if where(source) for finding in rule(source)]
    assert not found, "\n" + "\n".join(found)


def _anywhere(_: Source) -> bool:
    return True


def _tests(source: Source) -> bool:
    return source.is_test


def test_no_module_is_longer_than_a_sitting() -> None:
    """A file not read in one go hides two concepts; 400 lines need a reason, 500 fail."""
    _hold(tidiness.module_length, _anywhere, among=modules())


def test_no_function_is_longer_than_a_screen() -> None:
    """What does not fit on a screen is not seen whole, so its cases are not checked by eye."""
    _hold(tidiness.function_length, _anywhere, among=modules())


def test_no_line_of_code_is_wider_than_a_hundred_columns() -> None:
    """Two files fit side by side, in a review too. Prose and data wrap as they like."""
    _hold(tidiness.line_length, lambda file: file.path.endswith(SUFFIXES_OF_CODE), among=sources())


def test_every_name_says_what_the_file_holds() -> None:
    """A drawer without a label collects what nobody looks for."""
    _hold(tidiness.module_name, _anywhere, among=sources())


def test_every_module_opens_with_what_it_owns() -> None:
    """A reader decides by it whether this is the file; a test file's name does that alone."""
    _hold(
        tidiness.module_docstring,
        lambda source: not source.name.name.startswith(("test_", "conftest")),
        among=modules(),
    )


def test_no_mark_of_unfinished_work_is_left() -> None:
    """What is not done belongs in the tracker, where it is found; in the code it only ages."""
    _hold(tidiness.left_over_marks, _anywhere, among=sources())


def test_no_package_registry_is_named() -> None:
    """Where packages come from is the installing machine's choice: mirrors must work unchanged."""
    _hold(tidiness.registry_hosts, _anywhere, among=sources())


def test_no_path_of_one_machine_is_named() -> None:
    """It would work for its author only; a fixed name in a shared folder is a hole, too."""
    _hold(tidiness.machine_paths, _anywhere, among=sources())


def test_data_never_becomes_code() -> None:
    """Events come from other people's processes: none of their bytes may be run."""
    _hold(tidiness.unsafe_calls, _anywhere, among=modules())


def test_no_test_may_pass_without_running() -> None:
    """A skipped guarantee is no guarantee: what a test needs, the session starts."""
    _hold(tidiness.skipped_tests, _tests, among=modules())


def test_no_test_waits_for_time() -> None:
    """A sleep is too short on a slow day and too long on all others: wait for the condition.

    One place may pause, between two looks at a condition; everything else waits through it.
    """
    _hold(
        tidiness.sleeps,
        lambda source: _tests(source) and source.path != "tests/support/waiting.py",
        among=modules(),
    )


_LONG = "x = 1\n"


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (tidiness.module_length, "a.py", _LONG * 501),
        (tidiness.module_length, "a.py", _LONG * 401),
        (tidiness.function_length, "a.py", "def f():\n" + "    x = 1\n" * 60),
        (tidiness.line_length, "a.py", "#" * 101),
        (tidiness.module_name, "schemas/tailrace/schemas/kafka_utils.py", ""),
        (tidiness.module_name, "sinks/tailrace/sinks/common/tables.py", ""),
        (tidiness.module_docstring, "a.py", "x = 1"),
        (tidiness.left_over_marks, "a.md", "TO" + "DO: later"),
        (tidiness.left_over_marks, "a.py", "raise NotImplemented" + "Error"),
        (tidiness.registry_hosts, "a.toml", "https://py" + "pi.org/simple"),
        (tidiness.machine_paths, "tests/a.py", "x = '/ho" + "me/ada/log'"),
        (tidiness.machine_paths, "docs/a.md", "see /ro" + "ot/log"),
        (tidiness.machine_paths, "console/a.py", "x = '/t" + "mp/log'"),
        (tidiness.unsafe_calls, "a.py", "import pickle"),
        (tidiness.unsafe_calls, "a.py", "from marshal import loads"),
        (tidiness.unsafe_calls, "a.py", "eval('1')"),
        (tidiness.unsafe_calls, "a.py", "run('ls', shell=True)"),
        (tidiness.skipped_tests, "a.py", "@pytest.mark.skipif(x)\ndef f(): ..."),
        (tidiness.skipped_tests, "a.py", "pytest.importorskip('chdb')"),
        (tidiness.skipped_tests, "a.py", "from pytest import skip"),
        (tidiness.sleeps, "a.py", "time.sleep(0.1)"),
        (tidiness.sleeps, "a.py", "asyncio.sleep(delay)"),
        (tidiness.sleeps, "a.py", "from time import sleep"),
    ],
)
def test_a_rule_finds_what_it_is_for(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Source(path, text)))


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (tidiness.module_length, "a.py", tidiness.LONG_MODULE_REASON + " …\n" + _LONG * 420),
        (tidiness.function_length, "a.py", "def f():\n" + "    x = 1\n" * 59),
        (tidiness.machine_paths, "tests/a.py", "x = '/t" + "mp/log'"),
        (tidiness.machine_paths, "docs/a.md", "https://example.org/work/log ./work/log"),
        (tidiness.unsafe_calls, "a.py", "connection.exec('x'); run(['ls'], shell=False)"),
        (tidiness.skipped_tests, "a.py", "rows.skip(2); self.skip = 1"),
        (tidiness.sleeps, "a.py", "asyncio.sleep(0); clock.sleep(5)"),
    ],
)
def test_a_rule_lets_be_what_is_fine(rule: Rule, path: str, text: str) -> None:
    assert not list(rule(Source(path, text)))
