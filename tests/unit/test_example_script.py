"""The scripted model and its surroundings: deterministic, plausible, and honest about failures."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from examples.support_agent.chat_model import ChatModel, ModelError
from examples.support_agent.help_articles import search
from examples.support_agent.model_server import ModelServer, Script, completion, tokens
from examples.support_agent.questions import conversation
from examples.support_agent.script import next_message
from examples.support_agent.shop import ORDERS, Shop, address
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from pathlib import Path

ALL = ["find_customer", "find_order", "track_parcel", "search_help", "refund_desk"]


def asked(text: str) -> list[dict[str, Any]]:
    return [{"role": "system", "content": "help"}, {"role": "user", "content": text}]


def called(message: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    functions = [one["function"] for one in message.get("tool_calls", ())]
    return [(one["name"], json.loads(one["arguments"])) for one in functions]


@pytest.mark.parametrize(
    ("question", "calls"),
    [
        ("Where is order A-17?", [("find_order", {"order_id": "A-17"})]),
        ("Where are A-1 and A-2?", [("find_order", {"order_id": f"A-{n}"}) for n in (1, 2)]),
        ("Where is my parcel?", []),
        ("Where is it? ada@example.com.", [("find_customer", {"email": "ada@example.com"})]),
        ("How do I return it?", [("search_help", {"query": "How do I return it?"})]),
        ("Hello!", []),
    ],
)
def test_the_model_asks_for_what_the_question_needs(
    question: str, calls: list[tuple[str, dict[str, Any]]]
) -> None:
    assert called(next_message(asked(question), ALL)) == calls


def test_a_refund_goes_to_the_desk_that_decides_on_refunds() -> None:
    wish = "I want my money back for order A-5."
    ((name, arguments),) = called(next_message(asked(wish), ALL))
    assert (name, arguments["order_id"]) == ("refund_desk", "A-5")
    assert called(next_message(asked(wish), ["find_order", "refund"])) == [
        ("find_order", {"order_id": "A-5"})
    ]


@given(st.integers(0, 10_000))
def test_conversations_and_completions_depend_on_nothing_but_their_input(seed: int) -> None:
    turns = conversation(seed)
    assert turns == conversation(seed)
    assert 1 <= len(turns) <= 3
    one, two = (completion(asked(turns[0]), ALL) for _ in range(2))
    assert one == two
    usage = one["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_tokens_are_counted_as_documented() -> None:
    assert tokens([{"role": "user", "content": "one two three"}]) == 3 + 4


def test_every_shop_holds_the_same_rows(tmp_path: Path) -> None:
    with Shop(tmp_path / "one") as one, Shop(tmp_path / "two") as two:
        for number in range(1, ORDERS + 1):
            assert one.order(f"A-{number}") == two.order(f"A-{number}") != None  # noqa: E711 - chained
    with Shop(tmp_path / "one") as again:
        assert again.order("A-1") is not None
        assert again.order("A-0") is None
        assert again.orders_of(address("Ada"))


def test_a_refund_is_paid_once(tmp_path: Path) -> None:
    with Shop(tmp_path / "shop") as shop:
        assert shop.refund("A-1", 100, "broken")
        assert not shop.refund("A-1", 100, "broken")


def test_search_finds_the_page_that_is_about_it() -> None:
    assert search("How do I return an item?")[0]["title"] == "Returns"
    assert search("Is there a warranty on repairs?")[0]["title"] == "Warranty and repair"
    assert search("xyzzy") == []


def ask(script: Script, question: str) -> dict[str, Any]:
    async def over_http() -> dict[str, Any]:
        with ModelServer(script) as server:
            async with ChatModel(server.base_url, "secret") as model:
                return await model.complete(asked(question), [], model="any", temperature=0)

    return asyncio.run(over_http())


def test_the_server_answers_as_the_script_says() -> None:
    answer = ask(Script(latency_ms=(0, 0)), "Hello!")
    assert answer == completion(asked("Hello!"), [])


def test_a_failing_endpoint_is_a_typed_error_that_shows_no_key() -> None:
    with pytest.raises(ModelError, match="500") as caught:
        ask(Script(error_rate=1.0, latency_ms=(0, 0)), "Hello!")
    assert "secret" not in str(caught.value)


def test_a_dead_endpoint_is_a_typed_error() -> None:
    async def over_http() -> None:
        async with ChatModel("http://127.0.0.1:1/v1") as model:
            await model.complete([], [], model="any", temperature=0)

    with pytest.raises(ModelError, match="did not answer"):
        asyncio.run(over_http())
