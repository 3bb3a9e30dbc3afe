"""What customers ask: seeded conversations of many kinds, for the fleet.

Kinds are weighted as a help desk knows them: most ask for a parcel, few ask what nobody can answer.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from .shop import ORDERS, address

if TYPE_CHECKING:
    from collections.abc import Callable

_NAMES = ("Ada", "Chioma", "Elif", "Hiro", "Jonas")


def conversation(seed: int) -> list[str]:
    """Return what one customer says, turn by turn; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - example questions, not secrets
    kinds, weights = zip(*_KINDS, strict=True)
    return chance.choices(kinds, weights)[0](chance)


def _order(chance: random.Random) -> str:
    return f"A-{chance.randint(1, ORDERS)}"


def _where(chance: random.Random) -> list[str]:
    words = (
        "Where is my parcel? Order {}.",
        "When does order {} arrive?",
        "{} is late, where is it?",
    )
    return [chance.choice(words).format(_order(chance))]


def _where_without_number(chance: random.Random) -> list[str]:
    return ["Where is my parcel?", f"Sorry, it is order {_order(chance)}.", "Thank you!"]


def _by_address(chance: random.Random) -> list[str]:
    return [f"I lost the number. Where is my parcel? I am {address(chance.choice(_NAMES))}."]


def _two_orders(chance: random.Random) -> list[str]:
    return [f"Where are my orders {_order(chance)} and {_order(chance)}?"]


def _unknown(chance: random.Random) -> list[str]:
    return [f"Where is my parcel? Order A-{chance.randint(ORDERS + 1, 999)}."]


def _refund(chance: random.Random) -> list[str]:
    reasons = ("it arrived broken", "the colour is wrong", "I do not need it any more")
    return [f"I want my money back for order {_order(chance)}: {chance.choice(reasons)}."]


def _refund_after_tracking(chance: random.Random) -> list[str]:
    order = _order(chance)
    return [f"Where is order {order}?", f"That is too late. Refund {order} please."]


def _help(chance: random.Random) -> list[str]:
    topics = (
        "How do I return an item?",
        "How long does a repair under warranty take?",
        "Do you offer shipping to Norway, and how about customs?",
        "How can I pay, do you take a gift voucher?",
        "How can I cancel an order?",
    )
    return [chance.choice(topics)]


def _small_talk(chance: random.Random) -> list[str]:
    return [chance.choice(("Hello!", "Are you a robot?", "Thank you, all is well."))]


_KINDS: tuple[tuple[Callable[[random.Random], list[str]], int], ...] = (
    (_where, 30),
    (_where_without_number, 8),
    (_by_address, 8),
    (_two_orders, 8),
    (_unknown, 6),
    (_refund, 16),
    (_refund_after_tracking, 6),
    (_help, 14),
    (_small_talk, 4),
)
