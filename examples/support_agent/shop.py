"""The shop's database: customers, orders, parcels and refunds in one SQLite file.

Made with the same rows everywhere, so that a question asked twice finds the same order.
"""

from __future__ import annotations

import random
import sqlite3
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

ORDERS = 120
TODAY = date(2026, 11, 20)
"""The day that the shop's rows are made for: answers do not change with the calendar."""

_TABLES = """
CREATE TABLE IF NOT EXISTS customers (email TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS orders (
    id TEXT PRIMARY KEY, email TEXT NOT NULL REFERENCES customers, item TEXT NOT NULL,
    price_cents INTEGER NOT NULL, ordered_on TEXT NOT NULL, status TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS parcels (
    id TEXT PRIMARY KEY, order_id TEXT NOT NULL REFERENCES orders, carrier TEXT NOT NULL,
    place TEXT NOT NULL, expected_on TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS refunds (
    order_id TEXT PRIMARY KEY REFERENCES orders, cents INTEGER NOT NULL, reason TEXT NOT NULL);
"""
_NAMES = ("Ada", "Bela", "Chioma", "Dmitri", "Elif", "Farid", "Greta", "Hiro", "Ines", "Jonas")
_ITEMS = ("kettle", "desk lamp", "rain coat", "headphones", "garden hose", "tea set", "backpack")
_PLACES = ("the sorting centre in Leipzig", "a van near you", "customs in Rotterdam", "the depot")
_CARRIERS = ("swiftpost", "swiftpost", "swiftpost", "parcelbird", "slowboat")
_STATES = ("ordered", "sent", "sent", "delivered", "delivered", "cancelled")


class Shop:
    """One open database; calls are short and block, each writing call is its own transaction."""

    def __init__(self, path: Path) -> None:
        """Open the file, and make the tables and rows if it has none."""
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.executescript(_TABLES)
        if self._one("SELECT 1 FROM orders LIMIT 1") is None:
            self._fill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._db.close()

    def order(self, order_id: str) -> dict[str, Any] | None:
        """Return an order with its customer's name, or None."""
        return self._one(
            "SELECT o.*, c.name AS customer FROM orders o JOIN customers c USING (email) "
            "WHERE o.id = ?",
            order_id,
        )

    def orders_of(self, email: str) -> list[str]:
        """Return the ids of a customer's orders, oldest first."""
        rows = self._db.execute("SELECT id FROM orders WHERE email = ? ORDER BY id", (email,))
        return [row["id"] for row in rows]

    def parcel(self, order_id: str) -> dict[str, Any] | None:
        """Return the parcel that an order travels in, or None if it has not been sent."""
        return self._one("SELECT * FROM parcels WHERE order_id = ?", order_id)

    def refund(self, order_id: str, cents: int, reason: str) -> bool:
        """Write a refund down, once an order; return False if there already was one."""
        written = self._db.execute(
            "INSERT INTO refunds VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (order_id, cents, reason)
        )
        return written.rowcount == 1

    def _one(self, sql: str, *values: str) -> dict[str, Any] | None:
        row = self._db.execute(sql, values).fetchone()
        return None if row is None else dict(row)

    def _fill(self) -> None:
        chance = random.Random(17)  # noqa: S311 - example rows, not secrets
        self._db.execute("BEGIN")
        for name in _NAMES:
            self._db.execute("INSERT INTO customers VALUES (?, ?)", (address(name), name))
        for number in range(1, ORDERS + 1):
            self._add_order(f"A-{number}", chance)
        self._db.execute("COMMIT")

    def _add_order(self, order_id: str, chance: random.Random) -> None:
        ordered = TODAY - timedelta(days=chance.randrange(1, 60))
        state = chance.choice(_STATES)
        email, item = address(chance.choice(_NAMES)), chance.choice(_ITEMS)
        self._db.execute(
            "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?)",
            (order_id, email, item, chance.randrange(900, 20_000), ordered.isoformat(), state),
        )
        if state in {"sent", "delivered"}:
            place = "your door" if state == "delivered" else chance.choice(_PLACES)
            expected = ordered + timedelta(days=chance.randrange(2, 8))
            self._db.execute(
                "INSERT INTO parcels VALUES (?, ?, ?, ?, ?)",
                (f"P{order_id}", order_id, chance.choice(_CARRIERS), place, expected.isoformat()),
            )


def address(name: str) -> str:
    """Return the e-mail address that the customer of this name has."""
    return f"{name.lower()}@example.com"
