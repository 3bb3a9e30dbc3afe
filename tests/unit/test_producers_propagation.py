"""A trace across processes: what headers carry, and what strangers' headers cannot do."""

from __future__ import annotations

import re
from string import printable
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.journal import of_kind, only
from tailrace.producers import component, current_run, extract, inject, run_options, step
from tailrace.producers.options import RunOptions
from tailrace.producers.redaction import Pattern
from tailrace.producers.testing import memory_journal
from tailrace.producers.tree import w3c
from tailrace.producers.tree.headers import found_in
from tailrace.producers.tree.offers import Offer

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOREIGN = "4bf92f3577b34da6a3ce929d0e0e4736"
_TRACEPARENT = f"00-{_FOREIGN}-00f067aa0ba902b7-01"

ids = st.integers(1, 2**128 - 1).map(lambda number: f"{number:032x}")
texts = st.text(max_size=w3c.MAX_TEXT)
offers = st.builds(
    Offer,
    ids,
    ids,
    ids,
    ids,
    st.just("") | st.integers(1, 2**64 - 1).map(lambda number: f"{number:016x}"),
    st.builds(
        RunOptions,
        session=texts,
        tenant=texts,
        tags=st.lists(st.text(min_size=1, max_size=20), max_size=8).map(tuple),
        attempt=st.integers(0, 1000),
    ),
)


@component
def called(number: int) -> int:
    return number


@given(offers)
def test_what_is_written_is_read_back(offer: Offer) -> None:
    header = w3c.tracestate(offer, "")
    assert w3c.trace_of(w3c.traceparent(offer)) == offer.trace_id
    assert w3c.offer_of(offer.trace_id, header, offer.options) == offer
    told = w3c.options_of(w3c.baggage(offer, ""))
    here = offer.options
    assert (told.session, told.tenant, told.tags) == (here.session, here.tenant, here.tags)
    assert told.attempt == here.attempt
    assert told.routing_hash(offer.trace_id) == here.routing_hash(offer.trace_id)


@given(
    offers,
    st.lists(
        st.tuples(st.sampled_from(["vendor", "tailrace", "x@y"]), st.text("ab1;")), max_size=40
    ),
)
def test_other_vendors_members_are_kept_within_the_limits(
    offer: Offer, others: list[tuple[str, str]]
) -> None:
    header = ",".join(f"{key}={value}" for key, value in others)
    members = w3c.tracestate(offer, header).split(",")
    assert members[0].startswith("tailrace=1-")
    assert len(members) <= 32
    assert len(",".join(members)) <= 512
    expected = [f"{key}={value}" for key, value in others if key != "tailrace"]
    assert members[1:] == expected[: len(members) - 1]
    bagged = w3c.baggage(offer, header).split(",")
    assert bagged[: len(others)] == [f"{key}={value}" for key, value in others]


@given(st.text() | st.text(printable, max_size=600), st.text())
def test_no_text_makes_reading_fail(first: str, second: str) -> None:
    w3c.trace_of(first)
    w3c.offer_of(_FOREIGN, f"tailrace={first},{second}", RunOptions())
    for header in (first, f"tailrace.tags={first},tailrace.attempt={second}", second):
        told = w3c.options_of(header)
        assert all(len(text) <= w3c.MAX_TEXT for text in (told.session, told.tenant, *told.tags))


@pytest.mark.parametrize(
    "header",
    [
        "",
        "garbage",
        f"ff-{_FOREIGN}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{_FOREIGN}-{'0' * 16}-01",
        f"00-{_FOREIGN.upper()}-00f067aa0ba902b7-01",
        f"00-{_FOREIGN}-00f067aa0ba902b7-01-more",
        f"{_TRACEPARENT},{_TRACEPARENT}",
        _TRACEPARENT + "x" * 100_000,
    ],
)
def test_a_malformed_traceparent_changes_nothing(header: str) -> None:
    with memory_journal() as journal, extract({"traceparent": header}):
        assert called(1) == 1
    event = only(journal, "run_started")
    assert event["trace_id"] != _FOREIGN
    assert event["root_run_id"] == event["run_id"]


def test_a_later_version_of_traceparent_may_say_more() -> None:
    assert w3c.trace_of(f"01-{_FOREIGN}-00f067aa0ba902b7-01-more") == _FOREIGN


@pytest.mark.parametrize(
    "headers",
    [
        {"TraceParent": _TRACEPARENT},
        {b"traceparent": _TRACEPARENT.encode()},
        [(b"host", b"x"), (b"traceparent", _TRACEPARENT.encode())],
        {"HTTP_TRACEPARENT": _TRACEPARENT, "wsgi.input": object(), 5: "x"},
        {"traceparent": [_TRACEPARENT]},
    ],
)
def test_headers_of_any_sort_are_read(headers: Any) -> None:
    assert found_in(headers) == {"traceparent": _TRACEPARENT}
    with memory_journal() as journal, extract(headers):
        called(1)
        called(2)
    first, second = of_kind(journal, "run_started")
    for event in (first, second):
        assert event["trace_id"] == _FOREIGN
        assert (event["root_run_id"], event["offer"]) == (event["run_id"], "")


class _Hostile(dict[str, str]):
    def items(self) -> Any:
        raise RuntimeError("no")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("no")

    def __setitem__(self, key: str, value: str) -> None:
        raise RuntimeError("no")


def test_headers_that_raise_break_nothing_and_are_counted() -> None:
    @component
    def run() -> None:
        inject(_Hostile())

    with memory_journal() as journal:
        with extract(_Hostile(traceparent=_TRACEPARENT)):
            run()
        client = journal.client
    assert client is not None
    assert client.stats.defects == 2
    assert only(journal, "run_completed")["trace_id"] != _FOREIGN


def test_a_run_that_claims_an_offer_is_a_child_wherever_it_runs() -> None:
    sent: list[dict[str, str]] = []

    @step
    def call() -> None:
        sent.append(inject({"Traceparent": "stale", "accept": "*/*"}))

    @component
    def caller() -> None:
        call()
        inject({})

    with memory_journal() as journal:
        with run_options(session="s 1", tenant="ü", tags=["a,b", "c"], routing_key="k", attempt=2):
            caller()
        (headers,) = sent
        with extract(headers):
            called(1)
    root, child = of_kind(journal, "run_started")
    ended = of_kind(journal, "run_completed")[0]
    (stepped,) = of_kind(journal, "step_completed")
    assert sorted(headers) == ["accept", "baggage", "traceparent", "tracestate"]
    assert len(ended["offers"]) == 2
    assert ended["offers"][0] == child["offer"]
    assert ended["children"] == []
    for name in ("trace_id", "root_run_id", "session", "tenant", "tags", "routing_key", "attempt"):
        assert child[name] == root[name], name
    assert child["parent_run_id"] == root["run_id"]
    assert child["caller_step_id"] == stepped["step_id"]


def test_within_a_claiming_run_nested_components_are_its_own_children() -> None:
    headers: dict[str, str] = {}

    @component
    def caller() -> None:
        inject(headers)

    @component
    def server() -> str:
        called(1)
        return current_run().root_run_id

    with memory_journal() as journal:
        caller()
        with extract(headers):
            root_run_id = server()
    first, second, third = of_kind(journal, "run_started")
    assert root_run_id == first["run_id"]
    assert (second["parent_run_id"], second["offer"] != "") == (first["run_id"], True)
    assert (third["parent_run_id"], third["offer"]) == (second["run_id"], "")
    assert third["root_run_id"] == first["run_id"]


def test_a_server_in_the_process_and_context_of_its_caller_claims_the_offer() -> None:
    @component
    def caller() -> int:
        with extract(inject({})):
            called(1)
        return called(2)

    with memory_journal() as journal:
        caller()
    (ended,) = [each for each in of_kind(journal, "run_completed") if each["name"] == "caller"]
    first, second = [each for each in of_kind(journal, "run_started") if each["name"] == "called"]
    assert ended["offers"] == [first["offer"]]
    assert ended["children"] == [second["run_id"]]


def test_baggage_can_be_left_out() -> None:
    @component
    def caller() -> dict[str, str]:
        return inject({}, baggage=False)

    with memory_journal(), run_options(session="secret"):
        headers = caller()
    assert sorted(headers) == ["traceparent", "tracestate"]
    assert "secret" not in str(headers)


def test_outside_of_a_recorded_run_nothing_is_written() -> None:
    assert inject({}) == {}
    with memory_journal():
        assert inject({}) == {}


def test_what_is_redacted_does_not_leave_in_headers_either() -> None:
    @component
    def caller() -> dict[str, str]:
        return inject({})

    with (
        memory_journal(redact=Pattern("card", re.compile(r"\d{4}"))),
        run_options(session="card 4711", tags=["4712"], routing_key="4713"),
    ):
        headers = caller()
    assert "4711" not in str(headers)
    assert "4712" not in str(headers)
    assert "4713" not in headers["baggage"]
