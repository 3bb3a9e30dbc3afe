from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from tailrace.console.local.gateway.proof import Proof

if TYPE_CHECKING:
    from tailrace.console.local.gateway.engine import Connection


@dataclass
class _Answer:
    text: bytes

    def bytes(self) -> bytes:
        return self.text


@dataclass
class _Engine:
    """Counts failed inserts, as the engine's own tables do."""

    failed: int = 0

    def query(self, sql: bytes, _format: str) -> _Answer:
        if b"system.errors" in sql:
            return _Answer(f"469\t{self.failed}\tConstraint is violated".encode())
        return _Answer(str(self.failed).encode())


def _proof(engine: _Engine) -> Proof:
    return Proof(cast("Connection", engine))


def test_an_insert_whose_client_went_before_it_began_counts_for_nobody() -> None:
    engine = _Engine()
    gone = _proof(engine)
    gone.end()
    gone.begin()  # its thread comes to it all the same
    gone.end()
    alone = _proof(engine)
    alone.begin()
    engine.failed = 1
    failure = alone.failure()
    alone.end()
    assert failure is not None
    assert "469" in str(failure)


def test_of_two_inserts_at_once_neither_is_acknowledged_when_one_failed() -> None:
    engine = _Engine()
    first, second = _proof(engine), _proof(engine)
    first.begin()
    second.begin()
    engine.failed = 1
    failures = [first.failure(), second.failure()]
    first.end()
    second.end()
    assert all("319" in str(failure) for failure in failures)
