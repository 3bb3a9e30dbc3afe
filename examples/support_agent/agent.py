"""The agent: a loop of model and tools, and a refund desk that is a component of its own.

What a deployment may change is config: the prompt, the model, the temperature. `current_run()`
gives what was chosen for this run; under `dev`, and in plain calls, that is what stands here.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from typing import TYPE_CHECKING, Any, cast

from tailrace.producers import component, current_run, step

from .desk import desk
from .tools import (
    ToolError,
    describe,
    find_customer,
    find_order,
    refund,
    search_help,
    track_parcel,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Message = dict[str, Any]

MAX_TURNS = 8
"""Model calls before the agent gives up on a question."""

PROMPT = (
    "You are the help desk of a small shop. Look orders up before you say anything about them, "
    "send every wish for money back to refund_desk, and answer in one or two sentences."
)
REFUND_PROMPT = (
    "You decide on refunds. Look the order up. Refund what was paid, unless the order was "
    "cancelled, or costs more than 150 euros: then say that a colleague will look at it."
)


class NoAnswerError(Exception):
    """The model kept asking for tools and never answered."""


@component("support", config={"prompt": PROMPT, "temperature": 0.2, "model": ""})
async def support(question: str, earlier: Sequence[Message] = ()) -> str:
    """Answer a customer; `earlier` is the conversation so far, without instructions."""
    said = [*earlier, {"role": "user", "content": question}]
    tools = (find_customer, find_order, track_parcel, search_help, refund_desk)
    return await converse(said, tools)


@component("refund_desk", config={"prompt": REFUND_PROMPT, "temperature": 0.0, "model": ""})
async def refund_desk(order_id: str, reason: str) -> dict[str, Any]:
    """Decide on a customer's wish for money back, and pay it if that is right."""
    wish = {"role": "user", "content": f"Order {order_id}. The customer says: {reason}"}
    return {"answer": await converse([wish], (find_order, refund))}


async def converse(said: Sequence[Message], tools: Sequence[Callable[..., Any]]) -> str:
    """Let the model and the tools take turns until the model answers.

    Raises:
        NoAnswerError: after MAX_TURNS model calls.
        ModelError: if the endpoint fails.
    """
    config = current_run().config
    model, temperature = config["model"] or desk().model_name, config["temperature"]
    messages = [{"role": "system", "content": config["prompt"]}, *said]
    by_name = {tool.__name__: tool for tool in tools}
    for _ in range(MAX_TURNS):
        completion = await ask_model(messages, list(by_name), model, temperature)
        message = completion["choices"][0]["message"]
        messages.append(message)
        calls = message.get("tool_calls")
        if not calls:
            return str(message["content"])
        messages.extend(await asyncio.gather(*(use_tool(call, by_name) for call in calls)))
    raise NoAnswerError(f"no answer after {MAX_TURNS} model calls")


@step(kind="llm")
async def ask_model(
    messages: list[Message], tools: list[str], model: str, temperature: float
) -> dict[str, Any]:
    """Return the endpoint's completion: the next message, and what it cost in tokens."""
    described = [describe(TOOLS[name]) for name in tools]
    return await desk().model.complete(messages, described, model=model, temperature=temperature)


async def use_tool(call: Message, tools: Mapping[str, Callable[..., Any]]) -> Message:
    """Run the tool that the model asked for; what goes wrong in it is told to the model."""
    function = call["function"]
    try:
        arguments = cast("dict[str, Any]", json.loads(function["arguments"]))
        result = tools[function["name"]](**arguments)
        if inspect.isawaitable(result):
            result = await result
    except ToolError as error:
        result = {"error": str(error)}
    except (KeyError, TypeError, ValueError) as error:
        # Models make tools and arguments up.
        result = {"error": f"no such call: {error}"}
    content = json.dumps(result, ensure_ascii=False)
    return {"role": "tool", "tool_call_id": call["id"], "content": content}


TOOLS: Mapping[str, Callable[..., Any]] = {
    tool.__name__: tool
    for tool in (find_customer, find_order, track_parcel, search_help, refund, refund_desk)
}
