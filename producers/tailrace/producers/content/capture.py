"""Values of the agent to JSON, at once: nothing of them is kept, used up or raised.

What JSON cannot hold is recorded as `{"$repr": "..."}`, addresses left out, so that the same object
reads the same in every process. A set is sorted; whatever has a `__next__` is left alone, for
serializing it would use it up.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import orjson
from pydantic_core import to_json

from tailrace.schemas.payloads import canonical, dumps, escape

if TYPE_CHECKING:
    from collections.abc import Mapping

REPR = "$repr"
_REPR_CHARACTERS = 4096
_INT_DIGITS = 4300
_HUGE_INT = re.compile(rb"[0-9]{4301}")
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_PLAIN = frozenset({str, int, float, bool, type(None), bytes})
# All but plain data is left to what follows, for there it may be written otherwise.
_PLAIN_ONLY = (
    orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)


def json_of(value: Any) -> bytes:
    """Return a value as JSON with the user's keys escaped. Never raises for a value's sake."""
    return escape(text_of(value))


def text_of(value: Any) -> bytes:
    """Return a value as JSON, its keys as they are: what `escape` still has to be applied to.

    The only part of recording that has to happen before the agent goes on, for nothing of the
    value is looked at later. Never raises for a value's sake.
    """
    try:
        text = orjson.dumps(value, None, _PLAIN_ONLY)
    except Exception:  # noqa: BLE001 - not plain; and any code of the value's class may run here
        return any_text_of(value)
    # It writes null for what is no number, too. `rfind` takes half the time of `in` or less.
    return text if text.rfind(b"null") < 0 else any_text_of(value)


def any_text_of(value: Any) -> bytes:
    """Do what `text_of` does for any value; what it does quickly comes out as here."""
    try:
        if type(value) not in _PLAIN and _needs_care(value):
            value = _copied(value)
        text = to_json(value, fallback=_mark, inf_nan_mode="strings", bytes_mode="base64")
        if len(text) > _INT_DIGITS and _HUGE_INT.search(text) is not None:
            json.loads(text)  # raises for an integer that no reader in Python could take
        return text  # noqa: TRY300 - what follows is for what this raises
    except Exception:  # noqa: BLE001 - any code of the value's class may run here
        return dumps(_mark(value))


def _mark(value: Any) -> dict[str, str]:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - as above
        text = f"<{type(value).__qualname__} whose repr fails>"
    return {REPR: _ADDRESS.sub("", text)[:_REPR_CHARACTERS]}


def _needs_care(value: Any) -> bool:
    """Say whether a value holds something that serializing would use up, or in no fixed order.

    Typed as loosely as what it looks at: a cast is a call, and this runs for every value.
    """
    kind: Any = type(value)  # pyright: ignore[reportUnknownVariableType] - the user's
    items: Any = None
    if kind is dict or isinstance(value, dict):
        items = value.values()  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] - the user's
    elif kind is list or kind is tuple or isinstance(value, (list, tuple)):
        items = value  # pyright: ignore[reportUnknownVariableType] - the user's
    if items is not None:
        # One call in C for the usual case; any() with a generator would cost three times as much.
        if _PLAIN.issuperset(map(type, items)):
            return False
        for item in items:  # noqa: SIM110 - see above
            if type(item) not in _PLAIN and _needs_care(item):
                return True
        return False
    if isinstance(value, (set, frozenset)) or hasattr(kind, "__next__"):
        return True
    fields = getattr(cast("object", value), "__dict__", None)
    return isinstance(fields, dict) and _holds_lazy(cast("dict[str, Any]", fields))


def _uses_up(value: Any) -> bool:
    """Say whether iterating a value would take something from it."""
    return hasattr(cast("type[Any]", type(value)), "__next__")


def _holds_lazy(fields: dict[str, Any]) -> bool:
    return any(isinstance(item, (set, frozenset)) or _uses_up(item) for item in fields.values())


def _copied(value: Any) -> Any:
    """Return the value with sets sorted and what would be used up replaced by its mark."""
    copied = value
    if type(value) in _PLAIN:
        pass
    elif _uses_up(value):
        copied = _mark(value)
    elif isinstance(value, dict):
        copied = {key: _copied(item) for key, item in cast("dict[Any, Any]", value).items()}
    elif isinstance(value, (list, tuple)):
        copied = [_copied(item) for item in cast("list[Any]", value)]
    elif isinstance(value, (set, frozenset)):
        items = [_copied(item) for item in cast("set[Any]", value)]
        copied = sorted(items, key=lambda item: to_json(item, fallback=_mark))
    elif not isinstance(value, type) and type(getattr(value, "__dict__", None)) is dict:
        copied = {key: _copied(item) for key, item in cast("dict[str, Any]", vars(value)).items()}
    return copied


def input_digest(parts: Mapping[str, bytes | list[bytes]]) -> str:
    """Return the SHA-256 of the canonical input: an object of the arguments, keys sorted."""
    members = [_member(name) + _canonical(parts[name]) for name in sorted(parts)]
    return hashlib.sha256(b"{" + b",".join(members) + b"}").hexdigest()


def written_digest(given: bytes) -> str:
    """Return the `input_digest` of what stands in an event already, where nothing was escaped.

    Args:
        given: the object of the arguments.
    """
    return hashlib.sha256(canonical(given)).hexdigest()


@lru_cache(maxsize=4096)
def _member(name: str) -> bytes:
    return dumps(name) + b":"


def _canonical(part: bytes | list[bytes]) -> bytes:
    if isinstance(part, list):
        return canonical(b"[" + b",".join(part) + b"]")
    # A string or an integer is canonical as it is written; only the rest is worth parsing.
    return part if part[:1] == b'"' or part.isdigit() else canonical(part)
