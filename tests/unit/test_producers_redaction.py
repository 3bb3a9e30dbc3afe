"""Redaction: what a rule takes out is in no byte that leaves, and no rule breaks an agent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.journal import of_kind, only
from tailrace.producers import component, run_options, step
from tailrace.producers.content.capture import text_of
from tailrace.producers.redaction import (
    CARD_NUMBERS,
    EMAILS,
    KEYS,
    READY,
    SECRET_FIELDS,
    WITHHELD,
    Fields,
    Redaction,
    luhn,
)
from tailrace.producers.testing import memory_journal

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRETS = [
    "ada@example.org",
    "4111 1111 1111 1111",
    "sk-proj-abcdefghijklmnop1234",
    "AKIAABCDEFGHIJKLMNOP",
    "Bearer abc.def-ghi_jkl",
    "ghp_abcdefghijklmnopqrstuvwx",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
]
WORDS = st.text(st.characters(codec="utf-8"), max_size=5)
NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


def redaction(*rules: Any) -> tuple[Redaction, list[int]]:
    failures: list[int] = []
    return Redaction(rules, lambda: failures.append(1)), failures


def redacted(value: Any, *rules: Any) -> Any:
    made, failures = redaction(*rules)
    found = json.loads(made.json("value", text_of(value)))
    assert failures == []
    return found


@given(NESTED, st.sampled_from(SECRETS), st.sampled_from(["", " ", "\n", '"', "é", ": "]))
def test_a_secret_is_found_wherever_it_lies(value: Any, secret: str, around: str) -> None:
    hidden = {"a": [value, {around + secret + around: 1}], "b": around + secret + around}
    made, _ = redaction(KEYS, CARD_NUMBERS, EMAILS)
    text = made.json("value", text_of(hidden)).decode()
    assert json.dumps(secret)[1:-1] not in text
    assert text.count("[redacted: ") >= 2


@given(NESTED)
def test_without_a_match_nothing_changes(value: Any) -> None:
    never = Fields("no such member")
    text = text_of(value)
    made, failures = redaction(never, KEYS)
    assert json.loads(made.json("value", text)) == json.loads(text)
    assert failures == []


@given(st.integers(10**11, 10**18))
def test_every_number_gets_exactly_one_check_digit(number: int) -> None:
    assert sum(luhn(f"{number}{digit}") for digit in range(10)) == 1


def test_a_card_number_is_told_from_another_number() -> None:
    assert redacted({"card": 4111111111111111}, CARD_NUMBERS) == {"card": "[redacted: card number]"}
    for other in (4111111111111112, 1_790_000_000_000_000, "4111-1111-1111-1112", 1.5e300):
        assert redacted({"n": other}, CARD_NUMBERS) == {"n": other}


@pytest.mark.parametrize("name", ["password", "Authorization", "OPENAI_API_KEY", "client_secret"])
def test_members_with_a_telling_name_are_withheld_whole(name: str) -> None:
    value = {"headers": [{name: {"deep": [1, 2]}}], "tokens": 5}
    expected = {"headers": [{name: f"[redacted: {name}]"}], "tokens": 5}
    assert redacted(value, SECRET_FIELDS) == expected


def test_a_path_names_one_member_among_many() -> None:
    value = {"customers": [{"phone": 1, "id": 2}, {"phone": 3}], "phone": 4}
    found = redacted(value, Fields("value.customers.*.phone"))
    assert found["phone"] == 4
    assert [each["phone"] for each in found["customers"]] == ["[redacted: phone]"] * 2


def test_two_keys_that_look_alike_afterwards_stay_two_members() -> None:
    found = redacted({"a@b.c": 1, "d@e.f": 2}, EMAILS)
    assert found == {"[redacted: e-mail]": 1, "[redacted: e-mail] 2": 2}


def test_a_function_sees_every_value_with_its_path_and_may_replace_any() -> None:
    seen: list[str] = []

    def rule(path: str, value: Any) -> Any:
        seen.append(path)
        return "gone" if path.endswith(".secret") else value

    assert redacted({"a": {"secret": [1]}, "b": [2]}, rule) == {"a": {"secret": "gone"}, "b": [2]}
    assert seen == ["value", "value.a", "value.a.secret", "value.b", "value.b.0"]


def test_what_a_rule_raises_on_is_withheld_alone_and_counted() -> None:
    def rule(path: str, value: Any) -> Any:
        if path == "value.b":
            raise RuntimeError("a defect of the rule")
        return object() if path == "value.c" else value

    made, failures = redaction(rule)
    assert json.loads(made.json("value", b'{"a":1,"b":"s"}')) == {"a": 1, "b": WITHHELD}
    assert json.loads(made.json("value", b'{"a":1,"c":"s"}')) == WITHHELD
    assert len(failures) == 2


class LoudError(Exception):
    """An error of the agent that says too much."""


def test_no_byte_of_a_run_holds_what_was_redacted() -> None:
    secrets = {f"secret-{number}@example.org": number for number in range(12)}
    one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve = secrets

    def key_of(text: str) -> str:
        return text.replace(eight, seven)

    @step(key=key_of)
    def keyed(text: str) -> str:
        return f"{text} {one}"

    @step(kind="llm")
    def answer(messages: list[dict[str, str]]) -> dict[str, Any]:
        assert messages
        return {"model": two, "usage": {"prompt_tokens": 1, "completion_tokens": 2}}

    @step
    def large() -> str:
        return f"{three} " * 2000

    @step
    def stream() -> Iterator[str]:
        yield four
        yield "more"

    @step
    def fails() -> None:
        raise LoudError(five)

    @component
    def run(question: str, *, said: dict[str, str]) -> str:
        assert {question, *said} == {six, one}
        keyed(eight)
        answer([{"role": "user", "content": nine}, {"role": "user", "content": "x" * 2000}])
        large()
        assert list(stream()) == [four, "more"]
        with pytest.raises(LoudError):
            fails()
        raise LoudError(ten)

    options = run_options(session=eleven, tenant=twelve, tags=[one])
    with (
        memory_journal(redact=READY, step_started_after_s=0) as journal,
        options,
        pytest.raises(LoudError),
    ):
        run(six, said={one: two})
    kinds = {event.kind for event in journal.events}
    assert kinds >= {"run_started", "step_started", "step_completed", "step_failed", "run_failed"}
    assert journal.bodies
    for record in journal.log:
        assert b"@example.org" not in record.key + record.value
    for failed in of_kind(journal, "step_failed"):
        assert failed["error_message"] == "[redacted: e-mail]"
    assert only(journal, "run_failed")["session"] == "[redacted: e-mail]"


def test_a_rule_that_raises_never_breaks_the_agent() -> None:
    def rule(path: str, value: Any) -> Any:
        raise RuntimeError(path + str(value))

    @step
    def find(text: str) -> str:
        return text

    @component
    def run(text: str) -> str:
        return find(text)

    with memory_journal(redact=rule) as journal:
        assert run("as it was") == "as it was"
    completed = only(journal, "step_completed")
    assert (json.loads(completed["input"]), json.loads(completed["output"])) == (
        {"text": WITHHELD},
        WITHHELD,
    )
    assert journal.client is not None
    assert journal.client.stats.withheld >= 4
    assert journal.client.stats.defects == 0


def test_the_values_of_the_agent_are_never_handed_to_a_rule() -> None:
    held = {"list": [1]}

    def rule(path: str, value: Any) -> Any:
        if path == "given.list":
            value.append(2)
        return value

    @component
    def run(given: dict[str, Any]) -> None:
        assert given is held

    with memory_journal(redact=rule) as journal:
        run(held)
    assert held == {"list": [1]}
    assert json.loads(only(journal, "run_started")["input"]) == {"given": {"list": [1, 2]}}


@given(NESTED, st.sampled_from(["password", "Api_Key", 'a"b_secret', "x\\_secret"]))
def test_a_telling_name_is_found_wherever_it_lies(value: Any, name: str) -> None:
    hidden = {"a": [value, {"deep": {name: ["hidden away"]}}]}
    made, failures = redaction(SECRET_FIELDS)
    assert b"hidden away" not in made.json("value", text_of(hidden))
    assert failures == []
