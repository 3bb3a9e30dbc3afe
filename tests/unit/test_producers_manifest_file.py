"""Manifests: the same content is the same deployment, a changed byte another, a secret is none."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.producers import component, step
from tailrace.producers.deployments.differences import differences
from tailrace.producers.deployments.loaded_code import loaded_manifest
from tailrace.producers.deployments.manifest import deployment_id, run_config
from tailrace.producers.deployments.manifest_file import ManifestError, parse_manifest, whole
from tailrace.producers.recording.definition import component_of

HERE = f"{__name__}:agent"


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
        assert (difference.topic, difference.path, difference.after) == (topic, "new", 1)


@pytest.mark.parametrize(
    ("given_part", "says"),
    [
        ({"entry_point": "agent"}, "entry_point"),
        ({"colour": 1}, "colour: extra inputs"),
        ({"config": {"a": float("nan")}}, "no finite one"),
        ({"config": 3}, "config"),
        ({"config": {"password": "hunter"}}, "config.password looks like a secret"),
        ({"prompts": {"p": "use sk-abcdefabcdefabcdef"}}, "prompts.p looks like a secret"),
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
