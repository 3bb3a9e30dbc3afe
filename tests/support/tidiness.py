"""The rules of the house as functions: each reads a file and yields what breaks it, with the line.

They stand apart from the tests that apply them, so that each can be shown to find what it is for.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from support.repository import Source

Rule = Callable[[Source], Iterator[str]]

MODULE_LINES = 400
MODULE_LINES_LIMIT = 500
FUNCTION_LINES_LIMIT = 60
LINE_COLUMNS_LIMIT = 100
LONG_MODULE_REASON = "# Longer than 400 lines because"
EMPTY_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "manager", "misc"})
UNSAFE_MODULES = frozenset({"pickle", "cPickle", "dill", "marshal", "shelve"})
SKIPPING = frozenset({"skip", "skipif", "skipIf", "skipUnless", "xfail", "importorskip"})
# These lists are joined from parts so that they do not find themselves.
LEFT_OVER = re.compile(
    r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "NotImplemented" + "Error"]) + r")\b"
)
REGISTRY_HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("py" + "pi", "org"),
        ("python" + "hosted", "org"),
        ("repo", "maven", "apache", "org"),
        ("repo1", "maven", "org"),
        ("repo", "maven" + "central", "org"),
        ("registry", "npm" + "js", "org"),
        ("registry", "yarn" + "pkg", "com"),
        ("crates", "io"),
        ("proxy", "go" + "lang", "org"),
        ("deb", "debian", "org"),
        ("archive", "ubuntu", "com"),
        ("registry-1", "docker", "io"),
    )
)
_START = r"(?<![\w.~/-])/"
MACHINE_PATH = re.compile(_START + r"(?:root|home/\w+|Users/\w+|work)/")
SHARED_TEMPORARY_PATH = re.compile(_START + r"(?:var/)?tmp/")


def module_length(source: Source) -> Iterator[str]:
    """A module past the limit, or long without saying why."""
    length = len(source.lines)
    if length > MODULE_LINES_LIMIT:
        yield f"{source.path}: {length} lines, the limit is {MODULE_LINES_LIMIT}"
    elif length > MODULE_LINES and LONG_MODULE_REASON not in source.text:
        yield f"{source.path}: {length} lines without a comment '{LONG_MODULE_REASON} …'"


def function_length(source: Source) -> Iterator[str]:
    """A function past the limit, from `def` to its last line."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_LIMIT:
                yield f"{source.path}:{node.lineno}: {node.name} has {length} lines"


def line_length(source: Source) -> Iterator[str]:
    """A line past the limit."""
    for number, line in enumerate(source.lines, 1):
        if len(line) > LINE_COLUMNS_LIMIT:
            yield f"{source.path}:{number}: {len(line)} columns"


def module_name(source: Source) -> Iterator[str]:
    """A file or folder whose name says nothing of what it holds."""
    for part in source.name.parts:
        words = re.split(r"[_.-]", part.lower())
        if EMPTY_NAMES.intersection(words):
            yield f"{source.path}: '{part}' does not say what it holds"


def module_docstring(source: Source) -> Iterator[str]:
    """A module that does not open with what it owns."""
    if ast.get_docstring(source.tree) is None:
        yield f"{source.path}:1: no docstring"


def left_over_marks(source: Source) -> Iterator[str]:
    """A note to oneself, or a function that only promises."""
    yield from _matches(source, LEFT_OVER)


def registry_hosts(source: Source) -> Iterator[str]:
    """The bare host of a package registry."""
    for number, line in enumerate(source.lines, 1):
        for host in REGISTRY_HOSTS:
            if host in line:
                yield f"{source.path}:{number}: names {host}"


def machine_paths(source: Source) -> Iterator[str]:
    """A path of one person's machine; in tests a shared temporary folder is let be."""
    yield from _matches(source, MACHINE_PATH)
    if not source.is_test:
        yield from _matches(source, SHARED_TEMPORARY_PATH)


def unsafe_calls(source: Source) -> Iterator[str]:
    """Code made from data: unpickling, evaluation, a shell."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            names = {alias.name.partition(".")[0] for alias in node.names}
            found = ", ".join(sorted(names & UNSAFE_MODULES))
        elif isinstance(node, ast.ImportFrom):
            found = node.module if node.module in UNSAFE_MODULES else ""
        elif isinstance(node, ast.Call):
            found = _unsafe_call(node)
        else:
            continue
        if found:
            yield f"{source.path}:{node.lineno}: {found}"


def skipped_tests(source: Source) -> Iterator[str]:
    """A test that may pass without having run."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and node.attr in SKIPPING:
            if _root_name(node) in {"pytest", "mark", "unittest"}:
                yield f"{source.path}:{node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.ImportFrom) and node.module in {"pytest", "unittest"}:
            for alias in node.names:
                if alias.name in SKIPPING:
                    yield f"{source.path}:{node.lineno}: imports {alias.name}"


def sleeps(source: Source) -> Iterator[str]:
    """A wait for time instead of a condition; `asyncio.sleep(0)` only yields and is let be."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and node.module in {"time", "asyncio"}:
            if any(alias.name == "sleep" for alias in node.names):
                yield f"{source.path}:{node.lineno}: imports sleep bare"
        elif isinstance(node, ast.Call) and _is_sleep(node.func):
            argument = node.args[0] if node.args else None
            if not (isinstance(argument, ast.Constant) and argument.value == 0):
                yield f"{source.path}:{node.lineno}: {ast.unparse(node)}"


def _matches(source: Source, pattern: re.Pattern[str]) -> Iterator[str]:
    for number, line in enumerate(source.lines, 1):
        match = pattern.search(line)
        if match:
            yield f"{source.path}:{number}: {match.group()}"


def _unsafe_call(node: ast.Call) -> str:
    if isinstance(node.func, ast.Name) and node.func.id in {"eval", "exec"}:
        return f"calls {node.func.id}"
    for keyword in node.keywords:
        if keyword.arg == "shell" and not (
            isinstance(keyword.value, ast.Constant) and keyword.value.value is False
        ):
            return "runs a shell"
    return ""


def _is_sleep(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "sleep"
        and _root_name(node) in {"time", "asyncio"}
    )


def _root_name(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
