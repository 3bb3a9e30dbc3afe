"""What tells two deployments apart, by component and by what behaves otherwise. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TOPICS = ("prompts", "config", "models", "tools", "steps", "code", "entry point", "interpreter")
"""In the order in which people look."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that two deployments do not share."""

    component: str
    topic: str
    """One of `TOPICS`."""

    path: str
    """Where in the topic, such as `answer.temperature`; empty for the topic itself."""

    before: Any
    """None where the first deployment has none."""

    after: Any
    """None where the second has none."""


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """Return what differs between two manifests, component by component."""
    found: list[Difference] = []
    names = sorted({*before["components"], *after["components"]})
    for name in names:
        parts = [manifest["components"].get(name, {}) for manifest in (before, after)]
        for topic in TOPICS:
            one, other = (_of(part, topic) for part in parts)
            found += [Difference(name, topic, *each) for each in _changes("", one, other)]
    return found


def _of(part: Mapping[str, Any], topic: str) -> Any:
    if topic == "code":
        return part.get("code_digest")
    return part.get(topic.replace(" ", "_"))


def _changes(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    if before == after and type(before) is type(after):
        return
    if isinstance(before, dict) or isinstance(after, dict):
        one = cast("dict[str, Any]", before if isinstance(before, dict) else {})
        other = cast("dict[str, Any]", after if isinstance(after, dict) else {})
        for name in sorted({*one, *other}):
            yield from _changes(f"{path}.{name}".removeprefix("."), one.get(name), other.get(name))
        return
    yield path, before, after
