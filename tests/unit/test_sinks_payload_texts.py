"""Payloads as they are stored: read where they can be, kept where they cannot."""

from __future__ import annotations

import json

import pytest

from tailrace.sinks.queries.payload_texts import bodies_named, recorded

DIGEST = "ab" * 32


def test_a_reference_is_named_and_stands_for_its_body() -> None:
    text = json.dumps({"question": {"$body": DIGEST}})
    assert bodies_named([text, None, "1"]) == {DIGEST}
    assert recorded(text, {DIGEST: '"why?"'}) == {"question": "why?"}
    assert recorded(text, {}) == {"question": {"$body": DIGEST}}


@pytest.mark.parametrize("text", ["no JSON", "", "{", "[" * 100_000 + "]" * 100_000])
def test_what_cannot_be_read_is_its_own_value_and_names_nothing(text: str) -> None:
    assert recorded(text, {}) == text
    assert bodies_named([text]) == set()
    assert recorded(json.dumps({"$body": DIGEST}), {DIGEST: text}) == json.dumps({"$body": DIGEST})
