"""A small agent: a component, a step that it calls, and a step that is awaited."""

from __future__ import annotations

import asyncio
from typing import Any

from tailrace.producers import component, current_run, step


@step(kind="tool", effect="read")
def find(order_id: str, *, depth: int = 1) -> dict[str, Any]:
    return {"id": order_id, "depth": depth}


@step
async def later(number: int) -> int:
    await asyncio.sleep(0)
    return number + 1


@component("shop", config={"tone": "kind", "unused": 1})
def shop(question: str) -> str:
    find("A-17")
    return question + current_run().config["tone"]
