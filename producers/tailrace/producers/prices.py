"""What a model call costs, by a table that you give: none is shipped, for prices age.

A cost that a response or `current_run().usage(cost_usd=…)` says itself stands above the table, and
what no table knows stays unknown: it is never taken for zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tailrace.producers.content.usage import Usage

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens."""

    input_usd: float
    output_usd: float
    cached_usd: float | None = None
    """Input served from the provider's cache; None: as other input."""

    cache_write_usd: float | None = None
    """Input written to the provider's cache; None: as other input."""


Prices = Mapping[str, Price] | Callable[["Usage"], float | None]
"""Prices by `model` or `provider/model`, `*` allowed, or a function that gives US dollars."""


def cost_of(used: Usage, prices: Prices) -> float | None:
    """Return what a call cost in US dollars; None when that is unknown.

    A full name stands above one with a wildcard, of which the longest counts.
    """
    if callable(prices):
        return prices(used)
    price = _price(used, prices)
    if price is None or used.input_tokens is None or used.output_tokens is None:
        return None
    cached, written = used.cached_tokens or 0, used.cache_write_tokens or 0
    dollars = (
        (used.input_tokens - cached - written) * price.input_usd
        + cached * (price.input_usd if price.cached_usd is None else price.cached_usd)
        + written * (price.input_usd if price.cache_write_usd is None else price.cache_write_usd)
        + used.output_tokens * price.output_usd
    )
    return dollars / _MILLION


def _price(used: Usage, prices: Mapping[str, Price]) -> Price | None:
    names = (f"{used.provider}/{used.model}", used.model)
    for name in names:
        if name in prices:
            return prices[name]
    wild = sorted((each for each in prices if "*" in each), key=len, reverse=True)
    for pattern in wild:
        if any(fnmatchcase(name, pattern) for name in names):
            return prices[pattern]
    return None
