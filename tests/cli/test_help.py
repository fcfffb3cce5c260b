"""Help fits a screen of 80 columns and is whole; a slip of the pen is met with the name that was meant; the shell completes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import Result

from charm_rm.cli import COMMANDS, main
from charm_rm.cli.help import CharmCommand

Charm = Callable[..., Result]


def leaves(command: click.Command, names: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(command, click.Group):
        return [names]
    context = click.Context(command)
    below = [(name, command.get_command(context, name)) for name in command.list_commands(context)]
    return [leaf for name, one in below if one is not None for leaf in leaves(one, (*names, name))]


ALL = leaves(main)


@pytest.mark.parametrize("names", [(), ("ratings",)])
def test_summaries_fit_and_are_whole(charm: Charm, names: tuple[str, ...]) -> None:
    lines = charm(*names, "--help").output.partition("Commands:")[2].strip().splitlines()
    assert len(lines) == (3 if names else len(COMMANDS))
    for line in lines:
        assert len(line) <= 79
        assert "..." not in line


@pytest.mark.parametrize("names", ALL, ids=" ".join)
def test_options_are_all_there_under_their_subjects(charm: Charm, names: tuple[str, ...]) -> None:
    text = charm(*names, "--help").output
    context, command = click.Context(main), main
    for name in names:
        assert isinstance(command, click.Group)
        found = command.get_command(context, name)
        assert found is not None
        command = found
    assert isinstance(command, CharmCommand)
    for param in command.params:
        if isinstance(param, click.Option):
            assert text.count(f"  {param.opts[0]}") + text.count(f", {param.opts[0]}") >= 1, param.opts
    assert text.index("Options:") > text.index("Usage:")
    if len(command.params) > 12:
        assert "\nOutput:\n" in text or command.name == "run"


def test_subjects_are_told_apart_where_a_name_means_two_things(charm: Charm) -> None:
    """--baseline is a judge's opponent in an audit, a reward model in an evaluation."""
    audit, evaluate = (charm(name, "--help").output for name in ("audit", "evaluate"))
    assert audit.index("Reading tables:") < audit.index("--baseline POLICY")
    assert evaluate.index("--baseline SPEC") < evaluate.index("Human ratings:")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("audt",), "No such command 'audt'. Did you mean 'audit'?"),
        (("calibarte",), "Did you mean 'calibrate'"),
        (("ratings", "shwo"), "Did you mean 'show'"),
        (("audit", "--ratngs", "arena"), "'--ratings'"),
        (("qqqq",), "No such command 'qqqq'."),
    ],
)
def test_did_you_mean(charm: Charm, words: tuple[str, ...], said: str) -> None:
    result = charm(*words)
    assert result.exit_code == 2
    assert said.replace("'", "") in result.stderr.replace("'", "")


@pytest.mark.parametrize(("shell", "word"), [("bash", "complete"), ("zsh", "compdef"), ("fish", "complete")])
def test_the_shell_gets_its_script(shell: str, word: str) -> None:
    script = completing(f"{shell}_source")
    assert word in script
    assert "_CHARM_COMPLETE" in script


def test_commands_options_and_choices_are_completed() -> None:
    assert completing("zsh_complete", COMP_WORDS="charm au", COMP_CWORD="1").splitlines()[1] == "audit"
    options = completing("zsh_complete", COMP_WORDS="charm audit --fa", COMP_CWORD="2").splitlines()
    assert "--fail-if" in options
    choices = completing("zsh_complete", COMP_WORDS="charm audit --ties ", COMP_CWORD="3").splitlines()
    assert [word for word in choices if word in ("half", "loss")] == ["half", "loss"]


def completing(instruction: str, **words: str) -> str:
    code = "import sys; sys.argv[0] = 'charm'; from charm_rm.cli import main; main(prog_name='charm')"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "_CHARM_COMPLETE": instruction, **words},
        capture_output=True,
        text=True,
        timeout=60,
    )
    if "bash version" in run.stderr.lower() or "bash" in run.stderr.lower():
        pytest.skip(f"no bash to ask for its version: {run.stderr}")
    return run.stdout


@pytest.mark.parametrize("names", [(), ("ratings",), *ALL], ids=" ".join)
def test_help_fits_eighty_columns(
    charm: Charm, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = charm(*names, "--help").output.splitlines()
    assert [line for line in lines if len(line) > 80] == []


def test_a_pattern_that_the_shell_wrote_out_is_to_be_quoted(charm: Charm, tmp_path: Path) -> None:
    files = [tmp_path / f"part-{i}.parquet" for i in range(3)]
    for file in files:
        file.write_bytes(b"")
    result = charm("audit", *files, "--ratings", "arena")
    assert result.exit_code == 2
    assert f"a pattern in quotes names them: '{tmp_path}/*.parquet'" in result.stderr
    assert "in quotes" not in charm("audit", files[0], "twice").stderr
