"""The registry view, asked by Confluent's own client and by plain HTTP."""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, SchemaRegistryError
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from tailrace.console.schema_view.server import CONTENT_TYPE, MAX_BODY_BYTES, ViewError, serving
from tailrace.schemas import wire
from tailrace.schemas.catalog import latest, shipped
from tailrace.schemas.events.base import wide_defaults
from tailrace.schemas.schema_book import SchemaBook

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENT = latest("journal_event")
TIMEOUT_S = 10


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The view of all shipped schemas, served from a thread of its own."""
    loop = asyncio.new_event_loop()
    view = serving(SchemaBook(), prefix="tailrace.")
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(view.__aenter__(), loop).result(TIMEOUT_S)
    finally:
        ended = view.__aexit__(None, None, None)
        asyncio.run_coroutine_threadsafe(ended, loop).result(TIMEOUT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(TIMEOUT_S)
        loop.close()


@pytest.fixture
def client(address: str) -> Iterator[Any]:
    with SchemaRegistryClient({"url": address}) as made:
        yield made


def ask(url: str, method: str = "GET", body: bytes | None = None) -> tuple[int, Any, str]:
    request = urllib.request.Request(url, method=method, data=body)  # noqa: S310 - ours
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - ours
            return answer.status, json.load(answer), answer.headers["Content-Type"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error), error.headers["Content-Type"]


def test_confluents_deserializer_reads_a_message_of_ours(client: Any) -> None:
    wide = wide_defaults() | {"trace_id": "t", "tags": ["a"], "duration_us": 5}
    message = wire.encode(EVENT, wide)
    context = SerializationContext("tailrace.runs", MessageField.VALUE)
    made: Any = AvroDeserializer  # its arguments are hidden from type checkers
    decoded = made(client)(message, context)
    assert decoded == wire.decode(message)[1]
    assert (decoded["trace_id"], decoded["tags"], decoded["duration_us"]) == ("t", ["a"], 5)


def test_confluents_client_finds_every_schema_by_id_and_under_its_subjects(client: Any) -> None:
    for schema in shipped().values():
        assert json.loads(client.get_schema(schema.id).schema_str) == schema.definition
        for place in client.get_schema_versions(schema.id):
            assert client.get_version(place.subject, place.version).schema_id == schema.id


def test_confluents_client_sees_subjects_versions_config_and_mode(client: Any) -> None:
    assert "tailrace.runs-value" in client.get_subjects()
    assert client.get_versions("tailrace.runs-value") == [1, 2]
    newest = client.get_latest_version("tailrace.steps-value")
    assert (newest.schema_id, newest.version) == (EVENT.id, 1)
    assert client.get_compatibility() == "FULL_TRANSITIVE"
    assert client.get_global_mode() == "READONLY"
    assert client.lookup_schema("tailrace.steps-value", newest.schema).schema_id == EVENT.id


@pytest.mark.parametrize(
    ("method", "arguments", "code"),
    [
        ("get_schema", [1], 40403),
        ("get_latest_version", ["nobody-value"], 40401),
        ("get_version", ["tailrace.runs-value", 99], 40402),
        ("delete_subject", ["tailrace.runs-value"], 405),
        ("set_compatibility", [None, "NONE"], 405),
    ],
)
def test_confluents_client_understands_every_refusal(
    client: Any, method: str, arguments: list[Any], code: int
) -> None:
    with pytest.raises(SchemaRegistryError) as caught:
        getattr(client, method)(*arguments)
    assert caught.value.error_code == code


def test_registering_is_refused_as_a_write(client: Any) -> None:
    another = Schema(EVENT.text.replace("One event", "Another event"), "AVRO")
    with pytest.raises(SchemaRegistryError, match="read-only") as caught:
        client.register_schema("tailrace.steps-value", another)
    assert caught.value.http_status_code == 405


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/", {}),
        ("/schemas/types", ["AVRO"]),
        ("/config", {"compatibilityLevel": "FULL_TRANSITIVE"}),
        ("/config/tailrace.runs-value", {"compatibilityLevel": "FULL_TRANSITIVE"}),
        ("/mode", {"mode": "READONLY"}),
        (f"/schemas/ids/{EVENT.id}", {"schema": EVENT.text}),
        (f"/schemas/ids/{EVENT.id}/schema", EVENT.definition),
        ("/subjects/tailrace.steps-value/versions/latest/schema", EVENT.definition),
    ],
)
def test_plain_http_answers_in_the_registrys_content_type(
    address: str, path: str, answer: Any
) -> None:
    status, found, content_type = ask(address + path)
    assert (status, found) == (200, answer)
    assert content_type == CONTENT_TYPE


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, 404),
        ("GET", "/schemas/ids/x", 404, 40403),
        ("POST", "/subjects/tailrace.runs-value/versions", 405, 405),
        ("PUT", "/mode", 405, 405),
        ("POST", "/subjects/tailrace.runs-value", 422, 42201),
    ],
)
def test_every_error_is_json_with_a_code(
    address: str, method: str, path: str, status: int, code: int
) -> None:
    body = b"{}" if method != "GET" else None
    found, answer, content_type = ask(address + path, method, body)
    assert (found, answer["error_code"], content_type) == (status, code, CONTENT_TYPE)
    assert answer["message"]


def test_a_body_of_any_size_is_refused_beyond_the_bound(address: str) -> None:
    body = b"x" * (MAX_BODY_BYTES + 1)
    status, answer, _ = ask(f"{address}/subjects/tailrace.runs-value", "POST", body)
    assert (status, answer["error_code"]) == (413, 413)


def test_it_listens_on_loopback_alone(address: str) -> None:
    assert address.startswith("http://127.0.0.1:")


def test_a_taken_port_is_said_with_what_to_do(address: str) -> None:
    async def again() -> None:
        async with serving(SchemaBook(), port=int(address.rsplit(":", 1)[1])):
            pass

    with pytest.raises(ViewError, match=r"cannot listen on 127\.0\.0\.1:\d+: .*another --port"):
        asyncio.run(again())
