"""Dispatch on a real broker: two versions at once, a worker that is killed, answers that count."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from support.dispatch_desk import tailrace, working, write_desk
from support.journal import read_events, read_records
from support.log_journal import create_topics, write_async
from support.log_sinks import spawn_sink
from support.waiting import wait_until
from tailrace.producers import Routing, Tailrace, component, run_options
from tailrace.producers.dispatch.answers import AnswerTimeoutError, DispatchedRunError
from tailrace.producers.dispatch.giving_up import NO_REQUEST
from tailrace.producers.dispatch.submit import RequestTooLargeError, dispatcher_of, submit
from tailrace.producers.routing.route import NoPointerError
from tailrace.schemas.catalog import latest
from tailrace.schemas.ids import new_id
from tailrace.schemas.records import Request
from tailrace.schemas.topics import DEAD_LETTERS
from tailrace.schemas.wire import encode
from tailrace.sinks.sink import SinkOptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOAD = 24


@component("support")
async def support(number: int, *, hang: str = "") -> list[Any]:
    raise AssertionError(f"{number} {hang} was done where the code is not the deployment's")


def request_without_arguments(deployment: str) -> bytes:
    """Return a request whose input is JSON, and no object of arguments."""
    now = datetime.now(UTC)
    request = Request(
        request_id=new_id(), component="support", environment="prod", deployment=deployment,
        trace_id=new_id(), input="[1]", ts=now,
    )  # fmt: skip
    return encode(latest("request"), request.flatten())


class Fleet:
    """Folders of deployed versions, and what they did to the world."""

    def __init__(
        self, folder: Path, kafka: str, prefix: str, clickhouse: str, database: str
    ) -> None:
        self.folder = folder
        os.mkfifo(folder / "effects.gate")
        self.gate: int | None = None
        self.kafka = kafka
        self.prefix = prefix
        self.variables = {
            "TAILRACE_KAFKA": kafka,
            "TAILRACE_PREFIX": prefix,
            "TAILRACE_CLICKHOUSE": clickhouse,
            "TAILRACE_DATABASE": database,
            "DESK_EFFECTS": str(folder / "effects"),
        }

    def deploy(self, version: str, policy: str = "fail") -> tuple[Path, str]:
        """Write and deploy a version; return its folder and id."""
        folder = write_desk(self.folder / version, version, policy)
        done = self.run(folder, "deploy", "desk.toml", "--env", "prod", "--yes", "--label", version)
        assert done.startswith("registered: ")
        (newest, *_) = self.run(folder, "deployments", "ls", "--json").splitlines()
        return folder, json.loads(newest)["deployment"]

    def run(self, folder: Path, *arguments: str) -> str:
        done = tailrace(folder, self.variables, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def effects(self) -> list[str]:
        path = self.folder / "effects"
        return path.read_text().splitlines() if path.exists() else []

    def hangs(self) -> bool:
        """Say whether a run has come to the step in which it waits to be killed."""
        return (self.folder / "effects.hangs").exists()

    def go(self) -> None:
        """Let every run go on that waits, or comes to that step from now on."""
        self.gate = os.open(self.folder / "effects.gate", os.O_RDWR)

    def client(self) -> Tailrace:
        return Tailrace(
            self.kafka, environment="prod", prefix=self.prefix,
            routing=Routing(on_mismatch="dispatch"),
        )  # fmt: skip


@pytest.fixture
def fleet(
    kafka: str, clickhouse: str, database: str, topic_prefix: str, tmp_path: Path
) -> Iterator[Fleet]:
    create_topics(kafka, topic_prefix)
    sink = spawn_sink(SinkOptions(kafka, clickhouse, database, topic_prefix))
    fleet = Fleet(tmp_path, kafka, topic_prefix, clickhouse, database)
    yield fleet
    if fleet.gate is not None:
        os.close(fleet.gate)
    sink.terminate()
    sink.wait(30)


def test_the_pointer_moves_under_load_and_nothing_is_lost_or_answered_twice(fleet: Fleet) -> None:
    first, first_id = fleet.deploy("v1")

    async def load(numbers: range) -> list[Any]:
        return await asyncio.gather(
            *(submit("support", {"number": each}, key=f"key {each % 7}") for each in numbers)
        )

    async def main() -> list[Any]:
        async with fleet.client() as client:
            flying = asyncio.create_task(load(range(LOAD)))
            held = asyncio.create_task(submit("support", {"number": 900, "hang": "think"}))
            before = await flying
            second, second_id = await asyncio.to_thread(fleet.deploy, "v2")
            assert second_id != first_id
            with working(second, fleet.variables, second_id):
                after = await load(range(LOAD, 2 * LOAD))
                fleet.go()
                answers = [*before, *after, await held]
            assert client.sender is not None
            assert dispatcher_of(client, client.sender).answers.ignored == 0
        assert {answer.deployment for answer in before} == {first_id}
        assert {answer.deployment for answer in after} == {second_id}
        assert [answer.output for answer in before] == [["v1", each] for each in range(LOAD)]
        assert [answer.output for answer in after] == [
            ["v2", each] for each in range(LOAD, 2 * LOAD)
        ]
        assert answers[-1].output == ["v1", 900]
        return answers

    with working(first, fleet.variables, first_id):
        answers = asyncio.run(main())
        rows = [
            json.loads(line) for line in fleet.run(first, "requests", "ls", "--json").splitlines()
        ]
    assert {row["deployment"]: (row["sent"], bool(row["pointer"])) for row in rows}[first_id] == (
        LOAD + 1,
        False,
    )
    assert sorted(fleet.effects) == sorted(
        f"{what} {number}" for what in ("note", "send") for number in (*range(2 * LOAD), 900)
    )
    ended = [
        event["attributes"]["request_id"]
        for event in read_events(fleet.kafka, fleet.prefix)
        if event["last_seq"] is not None
    ]
    assert len(ended) == len(set(ended)) == len(answers)


@pytest.mark.parametrize(
    "hang",
    ["think", "send"],
)
def test_a_request_whose_worker_was_killed_is_served_what_was_done(fleet: Fleet, hang: str) -> None:
    folder, deployment = fleet.deploy("v1")

    async def main() -> Any:
        async with fleet.client():
            asked = asyncio.create_task(submit("support", {"number": 1, "hang": hang}))
            with working(folder, fleet.variables, deployment) as doomed:
                await asyncio.to_thread(wait_until, fleet.hangs, "the step that hangs")
                doomed.kill()
            fleet.go()
            with working(folder, fleet.variables, deployment):
                return await asked

    if hang == "send":
        with pytest.raises(
            DispatchedRunError, match="send#0 began before the worker died"
        ) as caught:
            asyncio.run(main())
        assert caught.value.error_type.endswith("UnknownEffectError")
    else:
        answer = asyncio.run(main())
        assert answer.output == ["v1", 1]
    assert fleet.effects == ["note 1", "send 1"]
    begun = [
        each for each in read_events(fleet.kafka, fleet.prefix) if each["kind"] == "run_started"
    ]
    (dead, again) = sorted(begun, key=lambda event: event["ts"])
    assert (again["retry_of"], again["trace_id"]) == (dead["run_id"], dead["trace_id"])
    assert again["attempt"] == 1


def test_a_person_decides_about_a_write_of_which_nobody_knows(fleet: Fleet) -> None:
    folder, deployment = fleet.deploy("v1", "ask")

    def parked() -> list[str]:
        listed = fleet.run(folder, "dead-letters", "ls", "--json").splitlines()
        return [json.loads(line)["id"] for line in listed]

    async def main() -> Any:
        async with fleet.client():
            asked = asyncio.create_task(submit("support", {"number": 1, "hang": "send"}))
            with working(folder, fleet.variables, deployment) as doomed:
                await asyncio.to_thread(wait_until, fleet.hangs, "the step that hangs")
                doomed.kill()
            fleet.go()
            with working(folder, fleet.variables, deployment):
                await asyncio.to_thread(wait_until, lambda: bool(parked()), "a letter", poll_s=0.5)
                assert fleet.effects == ["note 1", "send 1"]
                (letter,) = parked()
                assert "send#0 began" in fleet.run(folder, "dead-letters", "show", letter)
                done = asyncio.to_thread(fleet.run, folder, "dead-letters", "retry", letter)
                return (await asyncio.gather(asked, done))[0].output

    assert asyncio.run(main()) == ["v1", 1]
    assert fleet.effects == ["note 1", "send 1", "send 1"]


def test_a_worker_that_slept_does_no_write_that_another_one_does(fleet: Fleet) -> None:
    folder, deployment = fleet.deploy("v1")

    async def main() -> Any:
        async with fleet.client():
            asked = asyncio.create_task(submit("support", {"number": 1, "hang": "think"}))
            with working(folder, fleet.variables, deployment) as sleeping:
                await asyncio.to_thread(wait_until, fleet.hangs, "the step that hangs")
                sleeping.send_signal(signal.SIGSTOP)
                fleet.go()
                with working(folder, fleet.variables, deployment):
                    answer = await asked
                    sleeping.send_signal(signal.SIGCONT)
                    # It goes on to its write, and stops there: it ends as told, and by itself.
                    sleeping.terminate()
                    assert await asyncio.to_thread(sleeping.wait, 40) == 0
                return answer.output

    assert asyncio.run(main()) == ["v1", 1]
    assert fleet.effects == ["note 1", "send 1"]
    ended = [
        each for each in read_events(fleet.kafka, fleet.prefix) if each["last_seq"] is not None
    ]
    assert [("request_id" in each["attributes"]) for each in ended].count(True) == 1


def test_a_worker_that_is_told_to_stop_finishes_what_it_has_begun(fleet: Fleet) -> None:
    folder, deployment = fleet.deploy("v1")

    async def main() -> Any:
        async with fleet.client():
            asked = asyncio.create_task(submit("support", {"number": 1, "hang": "think"}))
            with working(folder, fleet.variables, deployment) as worker:
                await asyncio.to_thread(wait_until, fleet.hangs, "the step that hangs")
                worker.terminate()
                late = asyncio.create_task(submit("support", {"number": 2}))
                fleet.go()
                answer = await asked
                assert await asyncio.to_thread(worker.wait, 30) == 0
            with working(folder, fleet.variables, deployment):
                return [answer.output, (await late).output]

    assert asyncio.run(main()) == [["v1", 1], ["v1", 2]]
    # Whether it took the other one up, too, is a matter of moments.
    assert sorted(fleet.effects) == ["note 1", "note 2", "send 1", "send 2"]


def test_a_worker_whose_run_hangs_ends_all_the_same_and_leaves_it_to_the_next(fleet: Fleet) -> None:
    folder, deployment = fleet.deploy("v1")

    async def main() -> Any:
        async with fleet.client():
            asked = asyncio.create_task(submit("support", {"number": 1, "hang": "think"}))
            with working(folder, fleet.variables, deployment, drain_s=0) as worker:
                await asyncio.to_thread(wait_until, fleet.hangs, "the step that hangs")
                worker.terminate()
                assert await asyncio.to_thread(worker.wait, 30) == 1
                assert worker.stderr is not None
                assert "did not come to rest within 5 s" in worker.stderr.read()
            fleet.go()
            with working(folder, fleet.variables, deployment):
                return (await asked).output

    assert asyncio.run(main()) == ["v1", 1]
    assert fleet.effects == ["note 1", "send 1"]


def test_what_cannot_be_sent_or_comes_too_late_is_told(fleet: Fleet) -> None:
    async def main() -> str:
        async with fleet.client():
            with pytest.raises(NoPointerError):
                await submit("support", {"number": 1})
            folder, deployment = await asyncio.to_thread(fleet.deploy, "v1")
            with run_options(deployment=deployment), pytest.raises(RequestTooLargeError):
                await submit("support", {"number": "x" * 600_000})
            with run_options(deployment=deployment):
                with pytest.raises(AnswerTimeoutError, match="tailrace requests ls"):
                    await submit("support", {"number": 1}, timeout_s=0.5)
                topic = f"requests.{deployment}"
                odd = request_without_arguments(deployment)
                poison = [(topic, b"key", b"no request"), (topic, b"key", odd)]
                await write_async(fleet.kafka, fleet.prefix, poison)
                with working(folder, fleet.variables, deployment):
                    answer = await submit("support", {"number": 2})
                    assert answer.output == ["v1", 2]
                    odd_value = {"$body": ["no", {"$list": "reference"}]}
                    answer = await submit("support", {"number": odd_value})
                    assert answer.output == ["v1", odd_value]
                    for hang in ("exit", "cancel"):
                        with pytest.raises(DispatchedRunError):
                            await submit("support", {"number": 4, "hang": hang})
                    # The code that is loaded here is another: it is done where the code is.
                    assert await support(3) == ["v1", 3]
            return deployment

    deployment = asyncio.run(main())
    done = [f"{what} {odd}" for odd in (2, {"$body": ["no", {"$list": "reference"}]}, 4, 4, 3)
            for what in ("note", "send")]  # fmt: skip
    assert fleet.effects == done
    errors = {event["error_type"] for event in read_events(fleet.kafka, fleet.prefix)}
    assert any(each.endswith("RequestExpiredError") for each in errors)
    letters = read_records(fleet.kafka, fleet.prefix, DEAD_LETTERS)
    assert {each["source_topic"] for each in letters} == {f"{fleet.prefix}requests.{deployment}"}
    assert [each["reason"] for each in letters] == [NO_REQUEST] * 2
    assert letters[0]["value"] == b"no request"
