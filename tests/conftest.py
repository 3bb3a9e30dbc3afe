"""Fixtures that every test may use: a real broker, a real ClickHouse, names that nobody else uses.

The servers start when the first test asks for one and are stopped by their own pid at the end; if
the test process is killed, they end by themselves.
"""

from __future__ import annotations

import os
import signal
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from support.shared_broker import SharedBroker, shared_address
from support.stack import address_of, query, running_clickhouse, running_kafka

if TYPE_CHECKING:
    from collections.abc import Iterator

# The same examples in every run, and no limit of time for one: a busy machine is no counterexample.
# HYPOTHESIS_PROFILE=default looks for new ones.
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background job ignores interrupts, and so would every program that a test starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def spool_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where clients of the tests spool: nothing of a test may be left for the user's agents."""
    folder = tmp_path_factory.mktemp("spool")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAILRACE_SPOOL", str(folder))
        yield folder


_BROKER = pytest.StashKey[SharedBroker]()
_TOLD = "broker_told"


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a process that will run tests where the broker of all of them is."""
    stash = node.config.stash
    if _BROKER not in stash:
        broker = stash[_BROKER] = SharedBroker()
        node.config.add_cleanup(broker.stop)
    node.workerinput[_TOLD] = str(stash[_BROKER].told)


@pytest.fixture(scope="session")
def kafka(pytestconfig: pytest.Config) -> Iterator[str]:
    """The bootstrap servers of a real broker, `127.0.0.1:port`, of all processes that run tests."""
    given: dict[str, str] = getattr(pytestconfig, "workerinput", {})
    if _TOLD in given:
        yield shared_address(Path(given[_TOLD]))
        return
    with running_kafka() as member:
        yield address_of(member)


@pytest.fixture(scope="session")
def clickhouse() -> Iterator[str]:
    """The HTTP address of a real gateway, `http://127.0.0.1:port`."""
    with running_clickhouse() as member:
        yield address_of(member)


@pytest.fixture
def topic_prefix() -> str:
    """A prefix for topics, groups and transactional ids of this test alone; ends with a dot."""
    return f"t{uuid.uuid4().hex[:12]}."


@pytest.fixture
def database(clickhouse: str) -> Iterator[str]:
    """The name of a fresh ClickHouse database of this test alone, dropped at its end."""
    name = f"t{uuid.uuid4().hex[:12]}"
    query(clickhouse, f"CREATE DATABASE {name}")
    yield name
    query(clickhouse, f"DROP DATABASE {name}")
