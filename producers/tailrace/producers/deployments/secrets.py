"""Secrets that must not enter a manifest, told by the rules that redaction has for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from tailrace.producers.deployments.manifest import TABLES
from tailrace.producers.redaction import KEYS, SECRET_FIELDS, Fields

if TYPE_CHECKING:
    from collections.abc import Iterator

_FURTHER = Fields(
    "token", "auth_token", "api_token", "bearer_token", "*_api_token", "*_access_token",
    "*_auth_token", "*_password", "passwords", "secrets", "api_keys", "*_api_keys",
)  # fmt: skip
"""Names that say something in a manifest and too little in a recorded call; not `eos_token`."""

_DIGESTS = frozenset({"steps", "code_digest"})
"""What is computed, and no place for a secret."""

_NAMED_BY_USERS = frozenset({"components", *TABLES})
"""Tables whose members' names say what they are for: a prompt may be called `authorization`."""


def first_secret(manifest: dict[str, Any]) -> str | None:
    """Return the path of the first value that looks like a secret; None if none does.

    A member whose name says that it is one counts if it holds a text, or a list of them; and so
    does, anywhere, a text that looks like a key.
    """
    return next(_secrets("", "", manifest), None)


def _secrets(path: str, name: str, value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if (value and _says_secret(name)) or _is_key(value):
            yield path
    elif isinstance(value, dict):
        for key, member in cast("dict[str, Any]", value).items():
            inner = f"{path}.{key}".removeprefix(".")
            if _is_key(key):
                yield f"a name in {path}"
            elif key not in _DIGESTS:
                yield from _secrets(inner, "" if name in _NAMED_BY_USERS else key, member)
    elif isinstance(value, list):
        for place, item in enumerate(cast("list[Any]", value)):
            yield from _secrets(f"{path}.{place}", name, item)


def _says_secret(name: str) -> bool:
    return SECRET_FIELDS.covers(name) or _FURTHER.covers(name)


def _is_key(text: str) -> bool:
    # Keys have digits; words such as api_of_our_warehouse have none.
    return any(
        any(map(str.isdigit, match[0])) or match[0].startswith("-----")
        for match in KEYS.expression.finditer(text)
    )
