"""The help pages, and a search over them that scores with BM25.

Small enough to score every page on every question: there is no index to keep.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass

_K1, _B = 1.4, 0.75  # the usual constants of BM25


@dataclass(frozen=True)
class Article:
    """One help page."""

    title: str
    """What the page is about; its words count like those of the text."""

    text: str
    """The page itself, a few sentences."""


ARTICLES = (
    Article(
        "Returns",
        "You can return most items within 30 days of delivery. Pack the item, print the label from "
        "your account and hand the parcel to any swiftpost shop. The refund follows within a week.",
    ),
    Article(
        "Refunds",
        "A refund goes to the card or account that you paid with. It takes three to five working "
        "days. Orders above 150 euros are looked at by a person first.",
    ),
    Article(
        "Shipping and delivery",
        "Standard shipping takes two to seven days and is free from 40 euros. Express delivery "
        "arrives the next working day and costs 9 euros.",
    ),
    Article(
        "Shipping abroad",
        "We ship to all countries of the European Union, to Norway and to Switzerland. Outside of "
        "the Union customs may add duties, which the receiver pays.",
    ),
    Article(
        "Cancelling an order",
        "An order can be cancelled until it is handed to the carrier. After that, refuse the "
        "parcel at the door or return it.",
    ),
    Article(
        "Warranty and repair",
        "Every item has a warranty of two years. For a repair, send us a photo of the defect and "
        "the order number; most repairs take ten days.",
    ),
    Article(
        "Payment methods",
        "You can pay by card, by bank transfer, or with a gift voucher. A voucher is valid for "
        "three years and can be used in parts.",
    ),
)


def search(query: str, limit: int = 2) -> list[dict[str, str | float]]:
    """Return the best pages for a query, best first, none that shares no word."""
    pages = [Counter(_words(f"{article.title} {article.text}")) for article in ARTICLES]
    average = sum(page.total() for page in pages) / len(pages)
    scored = [
        (sum(_weight(word, page, pages, average) for word in set(_words(query))), article)
        for article, page in zip(ARTICLES, pages, strict=True)
    ]
    best = sorted((pair for pair in scored if pair[0] > 0), key=lambda pair: -pair[0])[:limit]
    return [
        {"title": article.title, "text": article.text, "score": round(score, 3)}
        for score, article in best
    ]


def _words(text: str) -> list[str]:
    # A plural's s is dropped, so that "refunds" finds "refund"; short words say nothing.
    return [word.rstrip("s") for word in re.findall(r"[a-z]+", text.lower()) if len(word) > 3]  # noqa: PLR2004


def _weight(word: str, page: Counter[str], pages: list[Counter[str]], average: float) -> float:
    holding = sum(word in other for other in pages)
    rarity = math.log(1 + (len(pages) - holding + 0.5) / (holding + 0.5))
    length = 1 - _B + _B * page.total() / average
    return rarity * page[word] * (_K1 + 1) / (page[word] + _K1 * length)
