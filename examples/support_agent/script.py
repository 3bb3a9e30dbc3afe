"""What the scripted model says next: a pure function of the conversation and the tools offered.

It reads the customer's intent, asks for the tools a model would ask for, and words its answer from
what the tools returned. It is no language model: it stands in for one where no key is set.
"""

from __future__ import annotations

import json
import re
from typing import Any, cast

Message = dict[str, Any]

_REFUND = re.compile(r"refund|money back", re.IGNORECASE)
_TRACK = re.compile(r"where|arrive|parcel|late|order A-\d+", re.IGNORECASE)
_HELP = re.compile(r"how|can I|do you|what", re.IGNORECASE)
_ORDER = re.compile(r"\bA-\d+\b")
_ADDRESS = re.compile(r"[\w.]+@[\w.]+\w")
_BY_A_PERSON_CENTS = 15_000


def next_message(messages: list[Message], tools: list[str]) -> Message:
    """Return the assistant message that follows: tool calls, or the answer to the customer."""
    talk = _Talk(messages)
    if "refund" in tools:
        return _at_the_refund_desk(talk)
    if _REFUND.search(talk.asked):
        return _refund(talk)
    if _TRACK.search(talk.asked) or (talk.orders and not _HELP.search(talk.asked)):
        return _track(talk)
    if _HELP.search(talk.asked):
        return _help(talk)
    return say("You are welcome! I can look for parcels, refund orders, and answer questions.")


class _Talk:
    """The conversation as the script needs it: what was asked last, and what came of it."""

    def __init__(self, messages: list[Message]) -> None:
        said = [str(m["content"]) for m in messages if m["role"] == "user"]
        self.asked = said[-1] if said else ""
        # The number may have been told earlier in the conversation.
        numbers = (_ORDER.findall(text) for text in reversed(said))
        self.orders: list[str] = next(filter(None, numbers), list[str]())
        self.address = _ADDRESS.search(self.asked)
        self._results = dict(_results(messages))

    def result(self, name: str, **arguments: Any) -> dict[str, Any] | None:
        """Return what a call returned since the customer spoke last, or None if it was not made."""
        return self._results.get(_call_key(name, arguments))


def _results(messages: list[Message]) -> list[tuple[str, dict[str, Any]]]:
    calls: dict[str, str] = {}
    found: list[tuple[str, dict[str, Any]]] = []
    for message in messages:
        for call in message.get("tool_calls") or ():
            function = call["function"]
            arguments = json.loads(function["arguments"])
            calls[call["id"]] = _call_key(function["name"], arguments)
        if message["role"] == "user":
            found.clear()
        elif message["role"] == "tool":
            result = cast("dict[str, Any]", json.loads(message["content"]))
            found.append((calls[message["tool_call_id"]], result))
    return found


def _call_key(name: str, arguments: dict[str, Any]) -> str:
    return name + json.dumps(arguments, sort_keys=True)


def say(text: str) -> Message:
    """Return an assistant message that answers."""
    return {"role": "assistant", "content": text}


def call(*calls: tuple[str, dict[str, Any]]) -> Message:
    """Return an assistant message that asks for tools; the calls' ids are the server's to give."""
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
            for name, arguments in calls
        ],
    }


def _track(talk: _Talk) -> Message:
    orders = talk.orders
    if not orders and talk.address:
        customer = {"email": talk.address[0]}
        found = talk.result("find_customer", **customer)
        if found is None:
            return call(("find_customer", customer))
        orders = cast("list[str]", found.get("orders", []))[-2:]
        if not orders:
            return say("I find no order under that address. Is it spelled right?")
    if not orders:
        return say("Gladly! What is the number of your order? It looks like A-17.")
    for tool in ("find_order", "track_parcel"):
        missing = [order for order in orders if _wanted(talk, tool, order)]
        if missing:
            return call(*((tool, {"order_id": order}) for order in missing))
    return say(" ".join(_whereabouts(talk, order) for order in orders))


def _wanted(talk: _Talk, tool: str, order: str) -> bool:
    if talk.result(tool, order_id=order) is not None:
        return False
    known = talk.result("find_order", order_id=order) or {}
    return tool == "find_order" or known.get("status") in {"sent", "delivered"}


def _whereabouts(talk: _Talk, order: str) -> str:
    known = talk.result("find_order", order_id=order) or {}
    if "error" in known:
        return f"I cannot find an order {order}. Please look at your confirmation again."
    parcel = talk.result("track_parcel", order_id=order)
    if parcel is None:
        return f"Order {order} ({known['item']}) is {known['status']} and has no parcel."
    if "error" in parcel:
        return f"Order {order} is on its way, but I cannot see where: {parcel['error']}"
    return (
        f"Your {known['item']} (order {order}) is at {parcel['place']}, carried by "
        f"{parcel['carrier']}, and due on {parcel['expected_on']}."
    )


def _refund(talk: _Talk) -> Message:
    if not talk.orders:
        return say("I am sorry to hear that. Which order is it about?")
    request = {"order_id": talk.orders[0], "reason": talk.asked}
    decision = talk.result("refund_desk", **request)
    if decision is None:
        return call(("refund_desk", request))
    return say(str(decision.get("answer") or decision.get("error")))


def _at_the_refund_desk(talk: _Talk) -> Message:
    order_id = talk.orders[0]
    order = talk.result("find_order", order_id=order_id)
    if order is None:
        return call(("find_order", {"order_id": order_id}))
    refusal = _no_refund(order_id, order)
    if refusal:
        return say(refusal)
    wish = {"order_id": order_id, "cents": order["price_cents"], "reason": talk.asked[:80]}
    done = talk.result("refund", **wish)
    if done is None:
        return call(("refund", wish))
    if "error" in done:
        return say(f"Order {order_id} cannot be refunded: {done['error']}")
    return say(f"{order['price_cents'] / 100:.2f} euros for order {order_id} are on their way.")


def _no_refund(order_id: str, order: dict[str, Any]) -> str:
    if "error" in order:
        return f"There is no order {order_id}, so there is nothing to refund."
    if order["status"] == "cancelled":
        return f"Order {order_id} was cancelled and never charged: no refund is needed."
    if order["price_cents"] > _BY_A_PERSON_CENTS:
        return f"Order {order_id} is above 150 euros: a colleague will look at it today."
    return ""


def _help(talk: _Talk) -> Message:
    found = talk.result("search_help", query=talk.asked)
    if found is None:
        return call(("search_help", {"query": talk.asked}))
    pages = cast("list[dict[str, Any]]", found.get("pages", []))
    if not pages:
        return say("I have no help page about that; a colleague will write to you.")
    return say(f"{pages[0]['text']} (from our help page “{pages[0]['title']}”)")
