from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from reference_pages import command_line
from support.documents import Block, Typed, blocks, documents, links_of, typed, typed_in
from support.repository import ROOT, Source

if TYPE_CHECKING:
    from pathlib import Path

GOALS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), flags=re.MULTILINE))
RUN = "run"


def _without_redirection(words: tuple[str, ...]) -> list[str]:
    at = next((index for index, word in enumerate(words) if word in {">", ">>", "<"}), len(words))
    return list(words[:at])


@pytest.mark.parametrize("command", typed("tailrace"), ids=lambda each: each.name)
def test_every_command_that_is_shown_exists_with_its_options(command: Typed) -> None:
    command_line.check(_without_redirection(command.words)[1:], whole=command.whole)


@pytest.mark.parametrize("command", typed("make"), ids=lambda each: each.name)
def test_every_goal_that_is_shown_exists(command: Typed) -> None:
    goals = [word for word in command.words[1:] if "=" not in word]
    assert set(goals) <= GOALS


@pytest.mark.parametrize("block", blocks("python"), ids=lambda each: each.name)
def test_every_python_block_compiles(block: Block) -> None:
    compile(block.text, block.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_every_python_block_that_is_marked_runs(
    kafka: str, clickhouse: str, tmp_path: Path
) -> None:
    marked = [block for block in blocks("python") if RUN in block.marks]
    assert "README.md" in {block.path for block in marked}, "mark one of its blocks: python run"
    for block in marked:
        file = tmp_path / "block.py"
        file.write_text(block.text, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-W", "error", file.name],
            cwd=tmp_path,
            env={**os.environ, "TAILRACE_KAFKA": kafka, "TAILRACE_CLICKHOUSE": clickhouse},
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{block.name}: {done.stderr}"


@pytest.mark.parametrize("document", documents(), ids=lambda each: each.path)
def test_every_link_within_the_repository_leads_somewhere(document: Source) -> None:
    folder = (ROOT / document.path).parent
    inside = [target for target in links_of(document) if "://" not in target]
    targets = [target.partition("#")[0] for target in inside]
    assert not [target for target in targets if target and not (folder / target).exists()]


PAGE = """\
Say `tailrace up --detach`, or `tailrace.schemas`.
```console
$ A=1 tailrace traces ls | head   # the newest
tailrace output
```
```bash
make demo && tailrace \\
  down
```
"""


def test_commands_are_found_in_every_form_in_which_people_read_them() -> None:
    found = [(each.line, " ".join(each.words)) for each in typed_in(Source("a.md", PAGE))]
    assert sorted(found) == [
        (1, "tailrace up --detach"),
        (3, "head"),
        (3, "tailrace traces ls"),
        (7, "make demo"),
        (7, "tailrace down"),
    ]
