"""What a decorator makes of a function, once: name, digests, parameters, ready-made bytes."""

from __future__ import annotations

import inspect
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

from tailrace.producers.content import encode
from tailrace.producers.content.arguments import Parameters
from tailrace.producers.content.digest import qualified_name, source_digest
from tailrace.producers.tree import keys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tailrace.producers.replay.dispatched import OnUnknown

Effect = Literal["pure", "read", "write"]

_READING = frozenset({"llm", "retrieval"})
# What model clients call the argument that holds the conversation.
_MESSAGES = frozenset({"messages", "prompt", "input", "history"})

_COMPONENTS: WeakKeyDictionary[Callable[..., Any], ComponentDefinition] = WeakKeyDictionary()
_STEPS: WeakKeyDictionary[Callable[..., Any], StepDefinition] = WeakKeyDictionary()


class StepDefinition:
    """A decorated step."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str,
        kind: str,
        effect: Effect | None,
        key: str | Callable[..., str] | None,
        version: str,
    ) -> None:
        self.function = function
        self.name = name
        self.kind = kind
        self.effect: Effect = effect or ("read" if kind in _READING else "write")
        self.key = key
        self.version = version
        self.is_model_call = kind == "llm"
        self.parameters = Parameters(function, _MESSAGES if self.is_model_call else frozenset())
        self.label = keys.label(name, key) if isinstance(key, str) else keys.label(name)
        self.constant = b"".join(map(encode.string, (name, kind, self.effect)))
        _STEPS[function] = self

    @cached_property
    def digest(self) -> str:
        """Digest of the function's source and version."""
        return source_digest(self.function, self.version)

    @cached_property
    def digest_bytes(self) -> bytes:
        """The digest as it stands in an event."""
        return encode.string(self.digest)


class ComponentDefinition:
    """A decorated component."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str,
        config: Mapping[str, Any],
        version: str,
        on_unknown: OnUnknown = "fail",
    ) -> None:
        self.function = function
        self.name = name
        self.on_unknown: OnUnknown = on_unknown
        self.config = dict(config)
        self.version = version
        self.parameters = Parameters(function, frozenset())
        self.entry_point = qualified_name(function)
        _COMPONENTS[function] = self

    @cached_property
    def digest(self) -> str:
        """Digest of the function's source and version."""
        return source_digest(self.function, self.version)


def step_of(function: Callable[..., Any]) -> StepDefinition | None:
    """Return the definition that a function was decorated with as a step; None if it was not."""
    return _STEPS.get(function)


def component_of(function: Any) -> ComponentDefinition | None:
    """Return the definition of a decorated component; None for anything else."""
    unwrapped = inspect.unwrap(function) if callable(function) else None
    return _COMPONENTS.get(unwrapped) if inspect.isfunction(unwrapped) else None
