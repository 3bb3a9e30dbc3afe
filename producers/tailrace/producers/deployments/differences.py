"""What tells two deployments apart, by component and by what behaves otherwise. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, cast

from tailrace.producers.deployments.manifest import NOTES
from tailrace.schemas.payloads import canonical, dumps

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TOPICS = ("prompts", "config", "models", "tools", "steps", "code_digest", "entry_point")
"""In the order in which people look; what else a manifest says comes after."""


class Absent(Enum):
    """The value of what is not there; None is a value."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that two deployments do not share."""

    component: str
    """Empty for what a manifest says outside its components."""

    topic: str
    """Which part of the component's manifest, such as `prompts`."""

    path: str
    """Where in the topic, such as `answer.temperature`; empty for the topic itself."""

    before: Any
    """`ABSENT` where the first deployment has none."""

    after: Any
    """`ABSENT` where the second has none."""


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """Return what differs between two manifests, component by component.

    It is nothing if and only if they have the same id.
    """
    both = (before, after)
    found: list[Difference] = []
    for name in sorted({*before["components"], *after["components"]}):
        parts = [manifest["components"].get(name, {}) for manifest in both]
        found += _differences(name, *parts)
    outside = frozenset({"components", NOTES})
    rest = [{key: each[key] for key in each if key not in outside} for each in both]
    return [*found, *_differences("", *rest)]


def _differences(
    component: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[Difference]:
    further = sorted({*before, *after}.difference(TOPICS))
    for topic in (*TOPICS, *further):
        changes = _changes("", before.get(topic, ABSENT), after.get(topic, ABSENT))
        for change in changes:
            yield Difference(component, topic, *change)


def _changes(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    one, other = (_members(value) for value in (before, after))
    if one is None or other is None or not (one or other):
        if not _same(before, after):
            yield path, before, after
        return
    for name in sorted({*one, *other}):
        yield from _changes(
            f"{path}.{name}".removeprefix("."), one.get(name, ABSENT), other.get(name, ABSENT)
        )


def _members(value: Any) -> dict[str, Any] | None:
    if value is ABSENT:
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _same(before: Any, after: Any) -> bool:
    if before is ABSENT or after is ABSENT:
        return before is after
    # As ids tell them apart: 1 and 1.0 are two values, and so are 1 and true.
    return canonical(dumps(before)) == canonical(dumps(after))
