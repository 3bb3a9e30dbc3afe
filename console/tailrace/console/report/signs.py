"""How a status, an outcome and a kind look: a sign that needs no colour, and a colour."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sign:
    """A mark of one cell, and the style of what it marks."""

    mark: str
    style: str


_SIGNS = {
    "ok": Sign("✓", "green"),
    "failed": Sign("✗", "bold red"),
    "cancelled": Sign("⊘", "yellow"),
    "open": Sign("▸", "cyan"),
    "waiting": Sign("◌", "yellow"),
    "ended": Sign("◌", "yellow"),
    "abandoned": Sign("?", "magenta"),
}
_UNKNOWN = Sign("·", "dim")
_KINDS = {"llm": "magenta", "tool": "blue", "retrieval": "cyan"}


def sign_of(word: str) -> Sign:
    """Return the sign of an outcome (ok, failed, cancelled) or else of a status."""
    return _SIGNS.get(word, _UNKNOWN)


def kind_style(kind: str) -> str:
    """Return the colour of a step's kind."""
    return _KINDS.get(kind, "white")
