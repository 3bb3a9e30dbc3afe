"""The environment variables, declared once: what each means and what holds where it is not set.

The code that needs a variable reads it; a test holds the names it reads to those that stand here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Setting:
    """One environment variable."""

    name: str
    """Its name; a last X stands for any word."""

    unset: str
    """What holds where it is not set, for people."""

    doc: str
    """What it means."""

    secret: bool = False
    """Whether it may hold a credential: such a value is never printed or logged."""


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "TAILRACE_KAFKA",
        "the local stack's",
        "Bootstrap servers of Kafka, `host:port,host:port`. Everything is then pointed there, "
        "and `tailrace up` starts no Kafka of its own.",
    ),
    Setting(
        "TAILRACE_KAFKA_X",
        "aiokafka's",
        "Any other argument of aiokafka's clients, by its own name in capitals, e.g. "
        "`TAILRACE_KAFKA_SECURITY_PROTOCOL=SASL_SSL`, `TAILRACE_KAFKA_SASL_MECHANISM`, "
        "`TAILRACE_KAFKA_SASL_PLAIN_USERNAME`, `TAILRACE_KAFKA_SASL_PLAIN_PASSWORD`. Files for "
        "TLS: `TAILRACE_KAFKA_SSL_CAFILE`, `TAILRACE_KAFKA_SSL_CERTFILE`, "
        "`TAILRACE_KAFKA_SSL_KEYFILE`.",
        secret=True,
    ),
    Setting(
        "TAILRACE_FROM_KAFKA_X",
        "plain text",
        "The same arguments for the broker that `tailrace migrate-log` moves the log away from.",
        secret=True,
    ),
    Setting(
        "TAILRACE_CLICKHOUSE",
        "the local stack's",
        "HTTP address of ClickHouse with its user and password, "
        "`http://user:password@host:8123`; `tailrace up` then starts none of its own.",
        secret=True,
    ),
    Setting("TAILRACE_DATABASE", "tailrace", "The database in ClickHouse that all tables lie in."),
    Setting("TAILRACE_PREFIX", "tailrace.", "What every name of a topic or a group begins with."),
    Setting(
        "TAILRACE_DATA",
        "the nearest .tailrace",
        "The local stack's data folder; where it is not set, `.tailrace` here or in a parent.",
    ),
    Setting(
        "TAILRACE_CACHE",
        "~/.cache/tailrace",
        "Where downloads are kept, shared between projects; `XDG_CACHE_HOME` is followed.",
    ),
    Setting(
        "TAILRACE_MAX_BODY_BYTES",
        "786432",
        "Over how many bytes a recorded value is cut to its hash, size, beginning and end; from "
        "16384 to 786432, read when an agent starts.",
    ),
    Setting(
        "TAILRACE_SPOOL",
        "~/.local/state/tailrace/spool",
        "Where agents keep events that Kafka does not take for now, a folder for each cluster and "
        "prefix; `XDG_STATE_HOME` is followed.",
    ),
    Setting(
        "TAILRACE_GATEWAY_PASSWORD",
        "none",
        "The password that the local stack's ClickHouse asks for; needed where it listens on "
        "another interface than loopback.",
        secret=True,
    ),
    Setting("TAILRACE_DEBUG", "off", "Errors come with their traceback, and libraries may log."),
)
