"""What happens in a stack, as values: the terminal shows them, a detached stack sends them home."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

STACK = "stack"
"""The name that stands for the whole, beside the members' names."""


@dataclass(frozen=True)
class Event:
    """One thing that happened to a member, or to the stack as a whole."""

    member: str
    state: str
    """`fetching`, `starting`, `ready`, `given`, `died`, `stopping`, `stopped` or `failed`."""
    text: str = ""
    """The address of a ready or given server, else a sentence or nothing."""
    done_bytes: int = 0
    total_bytes: int = 0
    """Of a download, while `fetching`."""

    def encode(self) -> bytes:
        """Return it as one line of JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Event:
        """Read one line of JSON that `encode` wrote."""
        return cls(**json.loads(line))


Tell = Callable[[Event], None]
"""Takes an event; called from several threads, must not block for long."""
