"""Where agents are also run: cells of a notebook, whose code has no source and whose loop runs."""

from __future__ import annotations

import ast
import asyncio
import inspect
import types
from typing import Any

from support.journal import keys, of_kind
from tailrace.producers import Tailrace
from tailrace.producers.testing import Journal

_DEFINE = """
import asyncio
from tailrace.producers import component, current_run, step

@step
async def work(number):
    await asyncio.sleep(0)
    return number + {added}

@component(config={{"tone": "kind"}})
async def agent(number):
    with step("cell") as block:
        block.output = current_run().config["tone"]
    return await work(number)
"""


async def _cell(text: str, names: dict[str, Any]) -> None:
    """Run a cell as IPython does: compiled with top-level await, under no file."""
    code = compile(text, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = types.FunctionType(code, names)()
    if inspect.isawaitable(result):
        await result


def test_cells_are_recorded_and_a_changed_cell_has_another_digest() -> None:
    journal = Journal()

    async def notebook() -> None:
        names: dict[str, Any] = {"__name__": "__main__", "client": Tailrace(outlet=journal)}
        await _cell("client.open()", names)
        for added in (1, 2):
            await _cell(_DEFINE.format(added=added), names)
            await _cell("found = await agent(1)", names)
            assert names["found"] == 1 + added
        await _cell("client.close()", names)

    asyncio.run(notebook())
    assert keys(journal) == ["cell#0", "work#0"] * 2
    works = [each for each in of_kind(journal, "step_completed") if each["name"] == "work"]
    assert len({each["definition_digest"] for each in works}) == 2
    runs = of_kind(journal, "run_completed")
    assert len({each["definition_digest"] for each in runs}) == 1
    assert len({each["deployment"] for each in runs}) == 2
