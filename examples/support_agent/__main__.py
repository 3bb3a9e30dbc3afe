"""Ask the support agent one question, or talk to it: `python -m examples.support_agent "…"`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import AsyncExitStack

from tailrace.producers import Tailrace
from tailrace.schemas.errors import TailraceError

from .agent import Message, NoAnswerError, support
from .chat_model import ModelError
from .desk import open_desk


async def talk(question: str, *, plain: bool) -> None:
    """Answer the question, then whatever else is typed, until an empty line."""
    interactive = sys.stdin.isatty() and not question
    async with AsyncExitStack() as held:
        desk = await held.enter_async_context(open_desk())
        if desk.scripted:
            print("No OPENAI_API_KEY is set: a scripted model answers, not a language model.")
        if not plain:
            await held.enter_async_context(Tailrace())
        earlier: list[Message] = []
        asked = question or (await _typed() if interactive else "Where is my parcel?")
        while asked:
            answer = await support(asked, earlier)
            print(answer)
            earlier += [
                {"role": "user", "content": asked},
                {"role": "assistant", "content": answer},
            ]
            asked = await _typed() if interactive else ""


async def _typed() -> str:
    try:
        return (await asyncio.to_thread(input, "> ")).strip()
    except EOFError:
        return ""


def main() -> int:
    """Run the agent; 1 if it could not answer."""
    parser = argparse.ArgumentParser(prog="support_agent", description=__doc__)
    parser.add_argument("question", nargs="?", default="", help="such as: Where is order A-17?")
    parser.add_argument("--plain", action="store_true", help="without Tailrace, without a log")
    told = parser.parse_args()
    try:
        asyncio.run(talk(told.question, plain=told.plain))
    except (ModelError, NoAnswerError, TailraceError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
