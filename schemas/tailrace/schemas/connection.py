"""From environment variables to the connection arguments that all aiokafka clients take.

Where Kafka is stands in `endpoints`; this is how to speak to it: TLS, SASL, timeouts.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Mapping

# aiokafka warns several times a second while a broker is away. That is for who configured logging:
# in an agent that did not, our own lines say what becomes of its events.
logging.getLogger("aiokafka").addHandler(logging.NullHandler())

PREFIX = "TAILRACE_KAFKA_"

TEXTS = frozenset(
    {
        "security_protocol",
        "sasl_mechanism",
        "sasl_plain_username",
        "sasl_plain_password",
        "sasl_kerberos_service_name",
        "sasl_kerberos_domain_name",
    }
)
"""aiokafka's arguments that are text."""

NUMBERS = frozenset(
    {"request_timeout_ms", "retry_backoff_ms", "metadata_max_age_ms", "connections_max_idle_ms"}
)
"""aiokafka's arguments that are whole numbers."""

TLS_FILES = frozenset({"ssl_cafile", "ssl_certfile", "ssl_keyfile"})
"""Paths that aiokafka's `ssl_context` is made from."""

# Kubernetes sets these for a service called `tailrace-kafka`; they are nobody's wish.
_SERVICE_LINK = re.compile(r"service_host|service_port(_.*)?|port(_.*)?")


class KafkaSettingError(TailraceError):
    """A `TAILRACE_KAFKA_…` variable is unknown or its value cannot be used."""


def connection_arguments(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return aiokafka's arguments for the `TAILRACE_KAFKA_…` variables of an environment.

    With `security_protocol` `SSL` or `SASL_SSL` there is always an `ssl_context`, by default one
    that trusts what the system trusts. TLS files are read here.

    Raises:
        KafkaSettingError: if a variable is unknown, a number is none, or a file cannot be used. The
            text never holds a value, which may be a password.
    """
    told = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(PREFIX) and name != PREFIX and value
    }
    told = {name: value for name, value in told.items() if not _SERVICE_LINK.fullmatch(name)}
    unknown = sorted(told.keys() - TEXTS - NUMBERS - TLS_FILES)
    if unknown:
        known = ", ".join(name.upper() for name in sorted(TEXTS | NUMBERS | TLS_FILES))
        raise KafkaSettingError(
            f"{PREFIX}{unknown[0].upper()} is no setting: after {PREFIX} there may be {known}"
        )
    arguments: dict[str, Any] = {name: told[name] for name in TEXTS & told.keys()}
    arguments |= {name: _number(name, told[name]) for name in NUMBERS & told.keys()}
    files = {name: told[name] for name in TLS_FILES & told.keys()}
    if files or arguments.get("security_protocol", "").endswith("SSL"):
        arguments["ssl_context"] = _ssl_context(files)
    return arguments


def _number(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit()):
        raise KafkaSettingError(f"{PREFIX}{name.upper()} is to be a whole number of milliseconds")
    return int(value)


def _ssl_context(files: Mapping[str, str]) -> Any:
    from aiokafka.helpers import create_ssl_context  # noqa: PLC0415 - only where TLS is asked for

    try:
        return create_ssl_context(
            **{name.removeprefix("ssl_"): path for name, path in files.items()}
        )
    except (OSError, ValueError) as error:
        names = ", ".join(f"{PREFIX}{name.upper()}" for name in sorted(files))
        raise KafkaSettingError(f"the TLS files of {names} cannot be used: {error}") from error
