"""The tools: steps that read or write the shop's database, and how a model is told of them."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from tailrace.producers import step

from . import help_articles
from .desk import desk

if TYPE_CHECKING:
    from collections.abc import Callable


class ToolError(Exception):
    """A tool could not do its work; the model is told why and goes on."""


class UnknownOrderError(ToolError):
    """There is no order of that number."""


class CarrierSilentError(ToolError):
    """The carrier's tracking does not answer."""


class RefundRefusedError(ToolError):
    """The order cannot be refunded, or was before."""


@step(kind="tool", effect="read")
async def find_customer(email: str) -> dict[str, Any]:
    """Return the numbers of the orders that a customer placed, oldest first."""
    return {"email": email, "orders": desk().shop.orders_of(email)}


@step(kind="tool", effect="read")
async def find_order(order_id: str) -> dict[str, Any]:
    """Return an order by its number, such as A-17: item, price, day, status."""
    order = desk().shop.order(order_id)
    if order is None:
        raise UnknownOrderError(f"there is no order {order_id}")
    return order


@step(kind="tool", effect="read")
async def track_parcel(order_id: str) -> dict[str, Any]:
    """Return where the parcel of an order is and when it is expected."""
    parcel = desk().shop.parcel(order_id)
    if parcel is None:
        raise UnknownOrderError(f"order {order_id} has no parcel yet")
    if parcel["carrier"] == "slowboat":
        raise CarrierSilentError("slowboat's tracking does not answer today")
    return parcel


@step(kind="tool", effect="write")
async def refund(order_id: str, cents: int, reason: str) -> dict[str, Any]:
    """Pay an order back, once; cents is the amount, reason what the customer said."""
    if not desk().shop.refund(order_id, cents, reason):
        raise RefundRefusedError(f"order {order_id} was refunded before")
    return {"order_id": order_id, "refunded_cents": cents}


@step(kind="retrieval")
def search_help(query: str) -> dict[str, Any]:
    """Return the help pages that fit a question best."""
    return {"pages": help_articles.search(query)}


def describe(tool: Callable[..., Any]) -> dict[str, Any]:
    """Return a tool as a chat completions endpoint wants to be told of it."""
    kinds = {"str": "string", "int": "integer"}
    parameters = inspect.signature(tool).parameters
    properties = {name: {"type": kinds[str(one.annotation)]} for name, one in parameters.items()}
    return {
        "type": "function",
        "function": {
            "name": tool.__name__,
            "description": (tool.__doc__ or "").split("\n\n", maxsplit=1)[0],
            "parameters": {
                "type": "object",
                "properties": properties,
                "required": list(parameters),
            },
        },
    }
