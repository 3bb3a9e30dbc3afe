"""Deploying from the command line: what people see, what programs read, what is refused."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from support.log_journal import create_topics
from tailrace.console.cli import main
from tailrace.producers import Tailrace, run_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Shell = Callable[..., tuple[int, str, str]]

AGENT = """
from tailrace.producers import component, current_run, step

@step(kind="tool", effect="read")
def find(order):
    return {"order": order}

@component("support", config={"tone": "calm"})
def support(order):
    find(order)
    config = current_run().config
    return [config["tone"], config["prompts"]["system"]]
"""
MANIFEST = '''
label = "LABEL"
notes = "for the summer"

[components.support]
entry_point = "shop_agent:support"

[components.support.prompts]
system = """
You are the desk of a small shop.
PROMPT"""

[components.support.models.answer]
model = "small"
temperature = 0.5
'''


@pytest.fixture
def shell(
    kafka: str, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[Shell]:  # fmt: skip
    create_topics(kafka, topic_prefix)
    monkeypatch.setenv("TAILRACE_KAFKA", kafka)
    monkeypatch.setenv("TAILRACE_PREFIX", topic_prefix)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)  # pyright: ignore[reportUnknownMemberType] - pytest's own
    (tmp_path / "shop_agent.py").write_text(AGENT)
    for label, prompt in (("v1", "Be kind."), ("v2", "Be brief.")):
        text = MANIFEST.replace("LABEL", label).replace("PROMPT", prompt)
        (tmp_path / f"{label}.toml").write_text(text)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main([*arguments])
        out, err = capfd.readouterr()
        return code, out, err

    yield run
    sys.modules.pop("shop_agent", None)


def read(shell: Shell, *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in shell(*arguments, "--json")[1].splitlines()]


def test_a_deployment_goes_from_staging_to_production_and_back(
    shell: Shell, kafka: str, topic_prefix: str
) -> None:
    code, out, _ = shell("deploy", "v1.toml", "--env", "staging", "--dry-run")
    assert (code, "would register" in out) == (0, True)
    assert read(shell, "pointers") == []
    assert shell("deploy", "v1.toml", "--env", "staging", "--reason", "first")[0] == 0
    code, _, err = shell("promote", "support", "--from", "staging", "--to", "prod")
    assert (code, "needs --yes" in err) == (1, True)
    assert shell("promote", "support", "--from", "staging", "--to", "prod", "--yes")[0] == 0
    code, out, _ = shell("deploy", "v2.toml", "--env", "prod", "--weight", "25%", "-y")
    assert " 100% -> " in out
    (first, second) = (row["deployment"] for row in reversed(read(shell, "deployments", "ls")))
    (prod, _) = read(shell, "pointers")
    assert prod["weights"] == {first: 0.75, second: 0.25}

    (told,) = read(shell, "route", "explain", "support", "--key", "ada", "--env", "prod")
    assert set(told["scores"]) == {first, second}
    agent = sys.modules["shop_agent"]
    with Tailrace(kafka, environment="prod", prefix=topic_prefix), run_options(routing_key="ada"):
        tone, prompt = agent.support("A-17")
    assert tone == "calm"
    assert prompt.endswith("Be kind." if told["deployment"] == first else "Be brief.")

    assert shell("freeze", "support", "--env", "prod", "-y", "--reason", "sale")[0] == 0
    code, _, err = shell("promote", "support", "--from", "staging", "--to", "prod", "-y")
    assert (code, "is frozen by" in err) == (1, True)
    assert shell("rollback", "support", "--env", "prod", "-y", "--reason", "worse")[0] == 0
    assert shell("unfreeze", "support", "--env", "prod", "-y")[0] == 0
    happened = read(shell, "history", "support", "--env", "prod")
    assert [each["what"] for each in happened] == [
        "unfreeze", "rollback", "freeze", "canary", "promote"
    ]  # fmt: skip
    assert [each["before"] for each in happened[1:]] == [
        {first: 0.75, second: 0.25}, {first: 0.75, second: 0.25}, {first: 1.0}, {}
    ]  # fmt: skip
    (prod, _) = read(shell, "pointers")
    assert (prod["weights"], prod["rolled_back"], prod["frozen"]) == ({first: 1.0}, [second], False)


def test_what_changed_is_told_by_what_people_look_for(shell: Shell) -> None:
    for name in ("v1", "v2"):
        assert shell("deploy", f"{name}.toml", "--env", "dev2")[0] == 0
    second, first = (row["deployment"][:10] for row in read(shell, "deployments", "ls"))
    code, out, _ = shell("deployments", "diff", first, second)
    assert code == 0
    assert out.startswith(f"- {first}")
    assert "support: prompts" in out
    assert "-Be kind." in out
    assert "+Be brief." in out
    assert "temperature" not in out
    assert shell("deployments", "diff", first, first)[2] == "they behave the same\n"
    code, out, _ = shell("deployments", "show", first)
    for text in ("label       v1", "for the summer", 'model": "small"', "100% of dev2:support"):
        assert (text in out) == (text != "100% of dev2:support"), out
    assert "100% of dev2:support" in shell("deployments", "show", second)[1]


def test_what_stands_already_is_left_alone_and_one_component_is_moved_alone(
    shell: Shell, tmp_path: Path
) -> None:
    more = AGENT + '@component("helper")\ndef helper():\n    return find("A-17")\n'
    (tmp_path / "shop_agent.py").write_text(more)
    both = (tmp_path / "v1.toml").read_text()
    both += '[components.helper]\nentry_point = "shop_agent:helper"\n'
    (tmp_path / "both.toml").write_text(both)
    deploy = ("deploy", "both.toml", "--env", "staging")
    code, out, _ = shell(*deploy, "--component", "helper")
    assert (code, "moved helper in staging" in out, "support in" in out) == (0, True, False)
    assert "2 components: helper, support" in out
    for arguments in (deploy, (*deploy, "--dry-run")):
        code, out, _ = shell(*arguments, "-c", "helper")
        assert (code, "is registered" in out or "was registered" in out) == (0, True)
        assert "helper in staging stands at" in out
    assert len(read(shell, "history")) == 1
    code, out, err = shell(*deploy, "--component", "nobody")
    assert (code, out) == (64, "")
    assert "has no component 'nobody': helper, support" in err


def test_every_table_fits_eighty_columns(shell: Shell) -> None:
    shell("deploy", "v1.toml", "--env", "staging", "--reason", "w" * 200)
    shell("deploy", "v2.toml", "--env", "staging", "--weight", "12.5%", "--reason", "w" * 200)
    for command in (("pointers",), ("history",), ("deployments", "ls")):
        code, out, err = shell(*command)
        assert (code, err) == (0, "")
        assert len(out.splitlines()) >= 2


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("deploy", "none.toml", "--env", "x"), 1, "none.toml cannot be read"),
        (("deploy", "bad.toml", "--env", "x"), 1, "bad.toml is no TOML"),
        (("deploy", "odd.toml", "--env", "x"), 1, "support.colour: a manifest has no such key"),
        (("deploy", "lost.toml", "--env", "x"), 1, "there is no module 'nowhere_at_all'"),
        (("deploy", "other.toml", "--env", "x"), 1, "is no function decorated with @component"),
        (("deploy", "secret.toml", "--env", "x"), 1, "looks like a secret"),
        (("deploy", "v1.toml", "--env", "x", "--weight", "5%"), 1, "leaves nothing"),
        (("deploy", "v1.toml", "--env", "x", "--weight", "0"), 64, "is no share"),
        (("deploy", "v1.toml"), 64, "missing option '--env'"),
        (("deploy", "v1.toml", "--env", "dev"), 64, "the loaded code points the environment at"),
        (("promote", "support", "--from", "x", "--to", "dev"), 64, "in dev the loaded code"),
        (("deploy", "exits.toml", "--env", "x"), 1, "importing exiting failed: SystemExit"),
        (("promote", "support", "--to", "x"), 64, "--from ENVIRONMENT or --deployment ID"),
        (("promote", "support", "--from", "y", "--to", "x"), 1, "has no pointer in y"),
        (("promote", "support", "--deployment", "ff", "--to", "x"), 1, "begins with 'ff'"),
        (("rollback", "support", "--env", "x"), 1, "no state to go back to"),
        (("rollback", "support", "--env", "x", "--to", "3"), 1, "no revision 3"),
        (("freeze", "support", "--env", "x"), 1, "has no pointer in x"),
        (("route", "explain", "support", "--key", "k", "--env", "x"), 1, "has no pointer in x"),
        (("route", "explain", "x", "--key", "k", "--env", "x", "--at", "7"), 1, "ends at offset"),
        (("deploy", "v1.toml", "--env", "Prod"), 1, "needs --yes where nobody can be asked"),
        (("deployments", "show", "ff"), 1, "begins with 'ff'"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    shell: Shell, tmp_path: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    text = (tmp_path / "v1.toml").read_text()
    for name, content in {
        "bad": "a = ",
        "odd": text.replace(
            "[components.support.prompts]", "colour = 1\n[components.support.prompts]"
        ),
        "exits": text.replace("shop_agent:", "exiting:"),
        "lost": text.replace("shop_agent:", "nowhere_at_all:"),
        "other": text.replace(":support", ":find"),
        "secret": text + 'api_key = "sk-1234567890123456"\n',
    }.items():
        (tmp_path / f"{name}.toml").write_text(content)
    (tmp_path / "exiting.py").write_text("raise SystemExit(0)")
    found, out, err = shell(*arguments)
    assert (found, out) == (code, "")
    assert says in err
    assert "Traceback" not in err


def test_without_topics_it_says_what_to_do(
    kafka: str,
    topic_prefix: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TAILRACE_KAFKA", kafka)
    monkeypatch.setenv("TAILRACE_PREFIX", topic_prefix)
    assert main(["pointers"]) == 1
    assert "tailrace topics apply" in capfd.readouterr().err
