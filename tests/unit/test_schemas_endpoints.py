"""Where the servers are, and how to speak to Kafka, from the environment and the stack's record."""

from __future__ import annotations

import inspect
import json
import os
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from tailrace.schemas.connection import (
    NUMBERS,
    TEXTS,
    KafkaSettingError,
    connection_arguments,
)
from tailrace.schemas.endpoints import (
    NoEndpointError,
    clickhouse_url,
    kafka_options,
    stack_file,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty environment in a folder below which no stack runs."""
    for name in [name for name in os.environ if name.startswith("TAILRACE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def record(folder: Path, **addresses: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stack.json").write_text(json.dumps(addresses), encoding="utf-8")


def test_an_argument_wins_over_the_environment_and_that_over_the_stacks_record(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    record(tmp_path / ".tailrace", kafka="stack:1", clickhouse="http://stack:2")
    assert kafka_options() == {"bootstrap_servers": "stack:1"}
    assert clickhouse_url() == "http://stack:2"
    monkeypatch.setenv("TAILRACE_KAFKA", "env:1")
    monkeypatch.setenv("TAILRACE_CLICKHOUSE", "http://env:2")
    assert kafka_options()["bootstrap_servers"] == "env:1"
    assert clickhouse_url() == "http://env:2"
    assert kafka_options("told:1")["bootstrap_servers"] == "told:1"
    assert clickhouse_url("http://told:2") == "http://told:2"


def test_the_nearest_stack_is_found_from_a_folder_below(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    record(tmp_path / ".tailrace", kafka="outer:1")
    record(tmp_path / "a" / ".tailrace", kafka="inner:1")
    below = tmp_path / "a" / "b"
    below.mkdir()
    monkeypatch.chdir(below)
    assert kafka_options()["bootstrap_servers"] == "inner:1"


def test_the_data_folder_that_is_told_is_the_only_one_looked_at(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    record(tmp_path / ".tailrace", kafka="here:1")
    monkeypatch.setenv("TAILRACE_DATA", str(tmp_path / "elsewhere"))
    assert stack_file() is None
    record(tmp_path / "elsewhere", kafka="there:1")
    assert kafka_options()["bootstrap_servers"] == "there:1"


@pytest.mark.parametrize("text", ["", "{", "{}", '{"kafka": null}', '{"kafka": 7}'])
def test_without_an_address_the_error_says_what_to_do(tmp_path: Path, text: str) -> None:
    (tmp_path / ".tailrace").mkdir()
    (tmp_path / ".tailrace" / "stack.json").write_text(text, encoding="utf-8")
    with pytest.raises(NoEndpointError, match=r"`tailrace up`, or set TAILRACE_KAFKA=host:port"):
        kafka_options()
    with pytest.raises(NoEndpointError, match="or set TAILRACE_CLICKHOUSE=http://host:8123"):
        clickhouse_url()


def test_arguments_of_aiokafka_pass_through_with_their_types() -> None:
    arguments = connection_arguments(
        {
            "TAILRACE_KAFKA": "host:1",
            "TAILRACE_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "TAILRACE_KAFKA_SASL_PLAIN_PASSWORD": "12345",
            "TAILRACE_KAFKA_REQUEST_TIMEOUT_MS": "12345",
            "TAILRACE_KAFKA_SASL_PLAIN_USERNAME": "",
            "OTHER": "x",
        }
    )
    assert arguments == {
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_password": "12345",
        "request_timeout_ms": 12345,
    }


@pytest.mark.parametrize("client", [AIOKafkaConsumer, AIOKafkaProducer, AIOKafkaAdminClient])
def test_every_argument_is_one_that_each_client_takes(client: Any) -> None:
    taken = inspect.signature(client.__init__).parameters
    assert taken.keys() >= TEXTS | NUMBERS | {"ssl_context", "bootstrap_servers"}


@pytest.mark.parametrize("protocol", ["SSL", "SASL_SSL"])
def test_tls_without_files_trusts_what_the_system_trusts(protocol: str) -> None:
    arguments = connection_arguments({"TAILRACE_KAFKA_SECURITY_PROTOCOL": protocol})
    assert isinstance(arguments["ssl_context"], ssl.SSLContext)
    assert arguments["ssl_context"].verify_mode is ssl.CERT_REQUIRED


def test_without_tls_there_is_no_context() -> None:
    arguments = connection_arguments({"TAILRACE_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"})
    assert arguments == {"security_protocol": "SASL_PLAINTEXT"}


def test_an_unknown_setting_is_named_and_the_known_ones_are_listed() -> None:
    with pytest.raises(KafkaSettingError, match="TAILRACE_KAFKA_SASL_PASSWORD is no setting") as e:
        connection_arguments({"TAILRACE_KAFKA_SASL_PASSWORD": "secret"})
    assert "SASL_PLAIN_PASSWORD" in str(e.value)
    assert "secret" not in str(e.value)


def test_what_kubernetes_sets_for_a_service_of_that_name_is_let_be() -> None:
    links = ["SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_KAFKA", "PORT", "PORT_9092_TCP_ADDR"]
    assert connection_arguments({f"TAILRACE_KAFKA_{link}": "10.0.0.1" for link in links}) == {}


@pytest.mark.parametrize("value", ["5s", "-1", "1.5", "٥"])  # noqa: RUF001 - another script's digit
def test_a_number_that_is_none_is_said_without_its_value(value: str) -> None:
    with pytest.raises(KafkaSettingError, match="REQUEST_TIMEOUT_MS is to be a whole number"):
        connection_arguments({"TAILRACE_KAFKA_REQUEST_TIMEOUT_MS": value})


@pytest.mark.parametrize("name", ["SSL_CAFILE", "SSL_CERTFILE"])
def test_a_tls_file_that_cannot_be_used_is_said(tmp_path: Path, name: str) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate", encoding="utf-8")
    for path in (broken, tmp_path / "missing.pem"):
        with pytest.raises(KafkaSettingError, match=f"TAILRACE_KAFKA_{name} cannot be used: "):
            connection_arguments({f"TAILRACE_KAFKA_{name}": str(path)})


def test_the_clients_warnings_are_for_who_configured_logging() -> None:
    program = (
        "import logging, tailrace.producers.client; "
        "logging.getLogger('aiokafka.conn').warning('theirs'); "
        "logging.getLogger('tailrace.producers').warning('ours')"
    )
    for configured, told in (("", "ours\n"), ("logging.basicConfig(format='%(message)s'); ", "")):
        run = subprocess.run(
            [sys.executable, "-c", f"import logging; {configured}{program}"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert run.stderr == (told or "theirs\nours\n")
