"""The frame of the command line: exit codes, sentences, and how little it imports."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import typer

from tailrace.console.cli import app, main
from tailrace.console.cli.extras import EXTRA_OF
from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAM = [
    sys.executable,
    "-c",
    "import sys; from tailrace.console.cli import main; sys.exit(main())",
]
HEAVY = {"aiohttp", "aiokafka", "chdb", "clickhouse_connect", "fastavro", "jgo", "requests"}


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], int]:
    """Run a command that ends in a given way; return the exit code."""

    def run(error: BaseException) -> int:
        def command() -> None:
            raise error

        def found(_: app.Registered) -> Callable[[], None]:
            return command

        monkeypatch.setattr(app, "load", found)
        return main(["down"])

    return run


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["upp"], "error: no such command 'upp'. Did you mean 'up'? (see `tailrace --help`)"),
        (["--quux"], "error: no such option: --quux (see `tailrace --help`)"),
        (["up", "--quux"], "error: no such option: --quux (see `tailrace up --help`)"),
        (["up", "--kafka-port", "x"], "error: invalid value for '--kafka-port'"),
        (["up", "--kafka-port", "0"], "error: invalid value for '--kafka-port'"),
        (["up", "--kafka-port", "7", "--clickhouse-port", "7"], "cannot share a port"),
        (["backup"], "error: missing argument"),
        (["down", "extra"], "error: got unexpected extra argument"),
    ],
)
def test_wrong_usage_ends_with_64_and_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(arguments) == 64
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


def test_an_error_of_ours_ends_with_1_and_its_sentence(
    capsys: pytest.CaptureFixture[str], ending: Callable[[BaseException], int]
) -> None:
    assert ending(TailraceError("the disk is full: free some space")) == 1
    assert capsys.readouterr() == ("", "error: the disk is full: free some space\n")


def test_a_defect_ends_with_1_one_line_and_how_to_see_more(
    capsys: pytest.CaptureFixture[str],
    ending: Callable[[BaseException], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TAILRACE_DEBUG", raising=False)
    assert ending(ZeroDivisionError("a\nb")) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: ZeroDivisionError at test_local_cli.py:")
    assert "TAILRACE_DEBUG=1 shows the traceback" in err
    assert err.count("\n") == 1


def test_an_interrupt_ends_with_130_and_silence(
    capsys: pytest.CaptureFixture[str], ending: Callable[[BaseException], int]
) -> None:
    assert ending(KeyboardInterrupt()) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("arguments", [["--help"], ["topics", "--help"], ["--version"]])
def test_a_reader_that_goes_away_ends_the_program_as_any_other(arguments: list[str]) -> None:
    with subprocess.Popen(
        [*PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.close()
        assert program.stderr.read() == b""
        assert program.wait(30) == 141


def test_a_connection_that_breaks_is_not_taken_for_a_reader_that_went_away(
    capsys: pytest.CaptureFixture[str], ending: Callable[[BaseException], int]
) -> None:
    assert ending(BrokenPipeError("[Errno 32] Broken pipe")) == 1
    assert capsys.readouterr().err.startswith("error: BrokenPipeError")


def test_a_package_that_an_extra_brings_is_asked_for_by_that_extra(
    capsys: pytest.CaptureFixture[str], ending: Callable[[BaseException], int]
) -> None:
    for package, extra in EXTRA_OF.items():
        assert ending(ModuleNotFoundError("", name=f"{package}.inner")) == 1
        assert capsys.readouterr().err.endswith(f'needs it: pip install "tailrace[{extra}]"\n')
    assert ending(ModuleNotFoundError("no other", name="other")) == 1
    assert "is a defect" in capsys.readouterr().err


def test_the_overview_imports_nothing_heavy() -> None:
    code = (
        "import sys; from tailrace.console.cli import main; main(['--help']); "
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(run.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("entry", app.COMMANDS, ids=lambda entry: entry.words)
def test_every_registered_command_can_be_imported_and_shows_its_help(
    entry: app.Registered, capsys: pytest.CaptureFixture[str]
) -> None:
    assert inspect.getdoc(app.load(entry)), "the command's own help is its docstring"
    assert main([*entry.words.split(), "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "Usage: tailrace" in shown
    command: Any = typer.main.get_command(app.build_app(entry.words.split()))
    for word in entry.words.split():
        command = command.commands[word]
    for parameter in command.params:  # what stands in brackets is taken for markup, and not shown
        assert "[" not in (parameter.help or "")


def test_without_a_stack_status_is_1_and_down_is_0(
    tmp_path: os.PathLike[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--data", os.fspath(tmp_path)]) == 1
    assert "nothing runs on" in capsys.readouterr().out
    assert main(["down", "--data", os.fspath(tmp_path)]) == 0
    assert "nothing runs on" in capsys.readouterr().out
