"""Manifests: the same content is the same deployment, a changed byte another, a secret is none."""

from __future__ import annotations

import copy
import json
import sys
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.producers import component, step
from tailrace.producers.deployments.differences import ABSENT, differences
from tailrace.producers.deployments.loaded_code import loaded_manifest
from tailrace.producers.deployments.manifest import (
    UnreadableManifestError,
    component_manifest,
    component_part,
    deployment_id,
    run_config,
)
from tailrace.producers.deployments.manifest_file import (
    ManifestError,
    parse_manifest,
    read_manifest,
)
from tailrace.producers.deployments.whole_manifest import whole
from tailrace.producers.recording.definition import component_of

if TYPE_CHECKING:
    from pathlib import Path

HERE = f"{__name__}:agent"
DATED = """
from datetime import date
from tailrace.producers import component

@component("agent", config={"day": date(2026, 1, 1)})
def agent(): pass
"""
DEEP: list[Any] = []
DEEP.append(DEEP)


@step
def tool() -> int:
    return 1


@component("agent", config={"tone": "calm"})
def agent() -> int:
    return tool()


def told(**component: Any) -> dict[str, Any]:
    return {"components": {"agent": {"entry_point": HERE, **component}}}


def made(**component: Any) -> dict[str, Any]:
    return whole(parse_manifest(told(**component))).content


def test_what_is_left_out_comes_from_the_code() -> None:
    definition = component_of(agent)
    assert definition is not None
    assert made() == {**loaded_manifest(definition), "notes": {}}
    assert deployment_id(made()) == deployment_id(loaded_manifest(definition))
    assert list(made()["components"]["agent"]["steps"]) == ["tool"]


def test_what_was_registered_by_earlier_versions_keeps_its_id() -> None:
    manifest = component_manifest(
        "support", entry_point="agent:support", config={"prompt": "Grüße", "n": [1, 1.5, None]},
        steps={"find": "a" * 64}, code_digest="b" * 64,
    )  # fmt: skip
    known = "2830e25e4a20ee160fd52d5e3b45334d018d80ce55109a9baaf5d6a26c32996a"
    assert deployment_id(manifest) == known


@pytest.mark.parametrize(
    "text", ["", "no json", "3", "{}", '{"components": {"agent": {"config": 3}}}',
             '{"components": {"agent": {"code_digest": 3}}}',
             '{"components": 1}', '{"components": {"agent": 3}}',
             '{"components": {"other": {}}}', "[" * 100_000],
)  # fmt: skip
def test_what_was_registered_and_is_no_manifest_is_said_to_be_none(text: str) -> None:
    with pytest.raises(UnreadableManifestError, match="what was registered"):
        component_part(text, "agent")


def test_who_and_why_and_where_from_are_no_part_of_the_id() -> None:
    plain = whole(parse_manifest(told()))
    named = whole(
        parse_manifest({**told(), "label": "v1", "notes": "for the summer"}),
        {"commit": "c" * 40, "dirty": True},
    )
    assert deployment_id(plain.content) == deployment_id(named.content)
    assert named.content["notes"]["source"]["dirty"]


PLAIN = st.text(max_size=8).filter(lambda text: "-" not in text)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=6,
)
TABLES = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=3)


@given(TABLES, TABLES, TABLES, TABLES)
def test_the_id_is_the_contents(
    config: dict[str, Any], prompts: dict[str, Any], models: dict[str, Any], tools: dict[str, Any]
) -> None:
    one = made(config=config, prompts=prompts, models=models, tools=tools)
    again = json.loads(json.dumps(one))
    shuffled = made(
        config=dict(reversed(config.items())), prompts=prompts, models=models, tools=tools
    )
    assert deployment_id(one) == deployment_id(again) == deployment_id(shuffled)
    part = again["components"]["agent"]
    seen = run_config(part)
    assert {name: seen[name] for name in config} == config
    for topic in ("config", "prompts", "models", "tools"):
        changed = copy.deepcopy(again)
        changed["components"]["agent"].setdefault(topic, {})["new"] = 1
        assert deployment_id(changed) != deployment_id(one)
        (difference,) = differences(one, changed)
        assert (difference.topic, difference.path) == (topic, "new")
        assert (difference.before, difference.after) == (ABSENT, 1)


NUMBERS = st.integers(-1, 1) | st.sampled_from([0.0, 1.0]) | st.booleans() | st.none()
TREES = st.recursive(
    NUMBERS | st.sampled_from(["", "a"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=4,
)


@given(TREES, TREES)
def test_nothing_tells_two_manifests_apart_that_have_one_id(one: Any, other: Any) -> None:
    first, second = (
        {"components": {"agent": {"code_digest": "c", "config": {"a": each}}}}
        for each in (one, other)
    )
    told_apart = differences(first, second)
    assert (deployment_id(first) == deployment_id(second)) == (not told_apart)
    back = [(each.path, each.after, each.before) for each in differences(second, first)]
    assert back == [(each.path, each.before, each.after) for each in told_apart]


@pytest.mark.parametrize(
    ("given_part", "says"),
    [
        ({"entry_point": "agent"}, "entry_point"),
        ({"colour": 1}, "colour: a manifest has no such key"),
        ({"config": {"a": {"b": [float("nan")]}}}, "agent.config.a.b.0: nan is no finite number"),
        ({"tools": {"a": date(2026, 1, 1)}}, "agent.tools.a: a value of type date is no JSON"),
        ({"models": {"a": 2**63}}, "agent.models.a: the integer does not fit 64 bits"),
        ({"prompts": {"a": "\ud800"}}, "agent.prompts.a: the text is no Unicode"),
        ({"config": {"a": {1: 2}}}, "agent.config.a: the name 1 is no text"),
        ({"config": {"a": DEEP}}, "lie in each other more than 64 deep"),
        ({"config": {"token": "hunter"}}, "config.token looks like a secret"),
        ({"models": {"m": {"api_keys": ["hunter"]}}}, "models.m.api_keys.0 looks like a secret"),
        ({"config": {"sk-abcdefabcdef1234": 1}}, "a name in components.agent.config looks like"),
        ({"code_digest": "0" * 64}, "agent.code_digest is not what the code here has"),
        ({"entry_point": "nowhere_at_all:agent"}, "there is no module 'nowhere_at_all'"),
        ({"config": 3}, "config"),
        ({"config": {"password": "hunter"}}, "config.password looks like a secret"),
        ({"prompts": {"p": "use sk-abcdefabcdefabcde7"}}, "prompts.p looks like a secret"),
        ({"config": {"tools": 1}, "tools": {"a": 1}}, "the table tools has the same name"),
        ({"prompts": {"p": "x" * 600_000}}, "bytes; 524,288 are allowed"),
        ({"entry_point": f"{__name__}:tool"}, "is no function decorated with @component"),
        ({"entry_point": f"{__name__}:nothing"}, "is no function decorated with @component"),
        ({"code_digest": "abc"}, "code_digest"),
    ],
)
def test_what_cannot_be_used_is_named(given_part: dict[str, Any], says: str) -> None:
    with pytest.raises(ManifestError, match=says):
        made(**given_part)


def test_the_table_has_the_components_name() -> None:
    with pytest.raises(ManifestError, match="is the component 'agent': give the table its name"):
        whole(parse_manifest({"components": {"other": {"entry_point": HERE}}}))
    with pytest.raises(ManifestError, match="components"):
        parse_manifest({"components": {}})


@pytest.mark.parametrize(
    "part",
    [
        {"prompts": {"authorization": "Ask for the order's number."}},
        {"config": {"tool": "api_of_our_whole_warehouse", "eos_token": "</s>", "password": ""}},
        {"tools": {"login": {"properties": {"password": {"type": "string"}}}}},
        {"config": {"passwords_allowed": True, "max_tokens": 8}},
    ],
)
def test_what_only_sounds_like_a_secret_is_none(part: dict[str, Any]) -> None:
    made(**part)


def test_code_is_not_imported_for_what_says_all() -> None:
    whole_part = {"config": {}, "steps": {"find": "a" * 64}, "code_digest": "b" * 64}
    content = made(entry_point="nowhere_at_all:agent", **whole_part)
    assert content["components"]["agent"] == {"entry_point": "nowhere_at_all:agent", **whole_part}


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import sys; sys.exit(0)", "importing {0} failed: SystemExit: 0"),
        ("def (", "importing {0} failed: SyntaxError"),
        ("def __getattr__(name): raise RuntimeError(name)", "failed: RuntimeError: agent"),
        ("agent = 3", "is no function decorated with @component"),
        (
            DATED,
            r"config.day: a value of type date is no JSON.*with the decorator",
        ),
    ],
)
def test_code_that_cannot_be_used_is_one_sentence(
    code: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"made_{abs(hash(code))}"
    (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(ManifestError, match=says.format(name)):
        made(entry_point=f"{name}:agent")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a = " + b"[" * 5000, "nests tables or lists too deeply"),
        (b"a = " + b"9" * 5000, "is no TOML"),
        (b"a = '\xff'", "is no TOML"),
        (b"[a]\n[a]", "is no TOML"),
        (b"#" * 600_000, "600,000 bytes; 524,288 are allowed"),
        (b"", "components: field required"),
    ],
)
def test_a_file_that_is_no_manifest_is_named(content: bytes, says: str, tmp_path: Path) -> None:
    file = tmp_path / "odd.toml"
    file.write_bytes(content)
    with pytest.raises(ManifestError, match=f"odd.toml.*{says}"):
        read_manifest(file)
