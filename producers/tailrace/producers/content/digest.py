"""Digests of code: of one function, and of all code of a project that a component reaches.

Reach is read from the code itself (the globals and closures that it names), never from what happens
to be imported, so that two processes with the same code agree.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
import textwrap
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from tailrace.schemas.payloads import canonical, dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


def source_digest(function: Callable[..., Any], version: str = "") -> str:
    """Return the SHA-256 of a function's source and version, 64 hex digits.

    Where there is no source (an interactive session, a frozen program), its bytecode, names and
    constants are taken; such a digest changes with the Python version.
    """
    try:
        text = textwrap.dedent(inspect.getsource(function)).encode()
    except (OSError, TypeError):
        code: CodeType | None = getattr(function, "__code__", None)
        text = repr(function).encode() if code is None else b"".join(_bytecode(code))
    return hashlib.sha256(version.encode() + b"\x00" + text).hexdigest()


def _bytecode(code: CodeType) -> Iterator[bytes]:
    yield code.co_code
    yield repr(code.co_names).encode()
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _bytecode(constant)
        else:
            yield repr(constant).encode()


def with_config(digest: str, read: Mapping[str, Any]) -> str:
    """Return the digest of a definition that read config: its code's, and what it read."""
    if not read:
        return digest
    return hashlib.sha256(digest.encode() + canonical(dumps(dict(read)))).hexdigest()


def qualified_name(function: Callable[..., Any]) -> str:
    """Return `module:qualname`, the program's own module by the name others import it by."""
    return f"{_module(function)}:{function.__qualname__}"


def _module(function: Any) -> str:
    name = str(getattr(function, "__module__", "") or "")
    if name != "__main__":
        return name
    main = sys.modules[name]
    spec = getattr(main, "__spec__", None)
    if spec is not None:  # python -m package.module
        return spec.name.removesuffix(".__main__")
    file = getattr(main, "__file__", None)
    return name if file is None else Path(file).stem


def reached(function: Callable[..., Any]) -> list[FunctionType]:
    """Return the functions of the same top-level package that a function can come to, itself first.

    Decorated functions are looked through by `__wrapped__`.
    """
    package = _package(function)
    found: dict[str, FunctionType] = {}
    waiting: list[Any] = [function]
    while waiting:
        candidate = inspect.unwrap(waiting.pop())
        if not isinstance(candidate, FunctionType) or _package(candidate) != package:
            continue
        name = qualified_name(candidate)
        if name not in found:
            found[name] = candidate
            waiting.extend(_named_in(candidate))
    return list(found.values())


def _package(function: Any) -> str:
    return _module(function).partition(".")[0]


def _named_in(function: FunctionType) -> Iterator[Any]:
    names = set(_names(function.__code__))
    for name in names:
        value = function.__globals__.get(name)
        if isinstance(value, ModuleType):
            yield from (vars(value)[each] for each in names if each in vars(value))
        elif isinstance(value, type):
            yield from vars(value).values()
        elif value is not None:
            yield value
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not assigned yet
            continue


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def reach_digest(functions: list[FunctionType]) -> str:
    """Return the SHA-256 over the names and sources of functions, whatever their order."""
    lines = sorted(f"{qualified_name(each)} {source_digest(each)}" for each in functions)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
