"""Small agents that end in every way, as a program: what a user would run beside the stack."""

from __future__ import annotations

import asyncio

from tailrace.producers import Tailrace, component, step

ROOTS = {"support": (20, "ok"), "endless": (3, "cancelled"), "failing": (4, "failed")}
"""How many root runs of each component there are, and how each of them ends."""

ALONE = "checked"
"""The component that runs once from synchronous code, and below each `support`."""


@step(kind="tool", effect="read")
async def find(order: str) -> dict[str, str]:
    """Return an order, at once."""
    await asyncio.sleep(0)
    return {"order": order, "state": "sent"}


@step(kind="tool")
def refund(order: str) -> str:
    """Fail."""
    raise LookupError(f"no payment for {order}")


@step(kind="llm")
async def answer(question: str, order: dict[str, str]) -> str:
    """Answer as a model would."""
    await asyncio.sleep(0)
    return f"{question} It is {order['state']}."


@component
def checked(order: str) -> str:
    """Run a step that fails, and go on."""
    try:
        return refund(order)
    except LookupError:
        return "not paid"


@component
async def support(order: str) -> str:
    """Run steps and, as a child, a synchronous component."""
    found = await find(order)
    checked(order)
    return await answer("Where is it?", found)


@component
def failing(order: str) -> str:
    """Fail because a step fails."""
    return refund(order)


@component
async def endless(order: str, begun: asyncio.Event) -> None:
    """Run until cancelled."""
    await find(order)
    begun.set()
    await asyncio.Event().wait()


async def _cancelled(order: str) -> None:
    begun = asyncio.Event()
    task = asyncio.ensure_future(endless(order, begun))
    await begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _fleet() -> None:
    async with Tailrace():
        await asyncio.gather(
            *(support(f"A-{n}") for n in range(ROOTS["support"][0])),
            *(_cancelled(f"C-{n}") for n in range(ROOTS["endless"][0])),
        )
        threads = (asyncio.to_thread(failing, f"F-{n}") for n in range(ROOTS["failing"][0]))
        await asyncio.gather(*threads, return_exceptions=True)


def main() -> None:
    """Run all of them, asynchronous ones first."""
    asyncio.run(_fleet())
    with Tailrace():
        checked("S-1")


if __name__ == "__main__":
    main()
