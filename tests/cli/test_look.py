"""The forms of a result: Markdown, CSV, one line; the same options, and the same promises, on every command that prints tables."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import click
import polars as pl
import pytest
from click.testing import Result
from markdown_it import MarkdownIt

from charm_rm.cli import COMMANDS as ALL_COMMANDS
from charm_rm.cli import main
from charm_rm.visible import visible
from table_commands import COMMANDS, NAMES, SOLVE, write_inputs

Charm = Callable[..., Result]
HOSTILE = "a|b`c`<img src=x>*d*_e_[f](g)\n# h"
WITHOUT_RESULTS = {"apply", "init", "report"}  # they write files, and print none


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_inputs(tmp_path_factory.mktemp("look"))


def leaves(command: click.Command, name: str) -> list[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        return [(name, command)]
    context = click.Context(command)
    below = [(n, command.get_command(context, n)) for n in command.list_commands(context)]
    return [leaf for n, c in below if c is not None for leaf in leaves(c, f"{name} {n}".strip())]


def test_every_command_that_prints_a_result_has_every_form() -> None:
    forms = {"--json", "--markdown", "--csv", "--quiet"}
    lacking = {
        name
        for name, command in leaves(main, "")
        if not forms <= {flag for p in command.params for flag in p.opts}
    }
    assert lacking <= WITHOUT_RESULTS | {"ratings save", "study export", "study serve"}
    assert set(ALL_COMMANDS) >= WITHOUT_RESULTS


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("line", COMMANDS)
def test_every_form_of_every_command(
    charm: Charm, folder: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.chdir(folder)
    if "OFFSETS" in line:
        charm(*SOLVE.split())
    words = line.replace("OFFSETS", "o.parquet").split()

    quiet = charm(*words, "--quiet")
    assert quiet.exit_code == 0, quiet.output
    if "--list" not in words:
        assert len(quiet.stdout.splitlines()) == 1, quiet.stdout
    assert not re.search(r"^(wrote|note|intervals)", quiet.stderr, re.MULTILINE), quiet.stderr

    table = charm(*words, "--csv")
    rows = list(csv.reader(io.StringIO(table.stdout)))
    assert len(rows) > 1, table.stdout
    assert {len(row) for row in rows} == {len(rows[0])}

    text = charm(*words, "--markdown").stdout
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    assert tables
    for block in tables:
        cells = {len(re.findall(r"(?<!\\)\|", row)) for row in block.splitlines()}
        assert len(cells) == 1, block
        assert re.fullmatch(r"\|( -+:? \|)+", block.splitlines()[1])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "line",
    [
        "explain scores.parquet --responses responses.parquet --ratings r.csv --feature words --draws 0",
        "judge few.parquet --judge python:benchmark_fakes:judge -o new.parquet --dry-run",
        "evaluate --list",
    ],
)
def test_results_in_sentences_have_a_table_and_a_line_too(
    charm: Charm, folder: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.chdir(folder)
    rows = list(csv.reader(io.StringIO(charm(*line.split(), "--csv").stdout)))
    assert len(rows) > 1
    assert len({len(row) for row in rows}) == 1
    assert len(charm(*line.split(), "--quiet").stdout.splitlines()) == 1
    assert charm(*line.split(), "--markdown").stdout.lstrip().startswith(("- ", "### "))


def test_quiet_leaves_out_how_a_table_was_read(charm: Charm, folder: Path) -> None:
    renamed = pl.read_parquet(folder / "scores.parquet").rename({"policy": "model"})
    renamed.write_parquet(folder / "renamed.parquet")
    words = ("audit", folder / "renamed.parquet", "--ratings", folder / "r.csv", "--draws", 0)
    assert "note:" in charm(*words).stderr
    assert "note:" not in charm(*words, "--quiet").stderr


@pytest.mark.filterwarnings("ignore")
def test_csv_has_every_row_and_every_digit(charm: Charm, folder: Path) -> None:
    scores, ratings = folder / "scores.parquet", folder / "r.csv"
    out = charm(
        "audit", scores, "--ratings", ratings, "--draws", 0, "--top", 1, "--csv", "-o", folder / "out"
    )
    read = pl.read_csv(io.StringIO(out.stdout))
    kept = pl.read_parquet(folder / "out" / "favouritism.parquet")
    assert read["policy"].to_list() == kept["policy"].to_list()
    assert set(read["policy"]) == set(NAMES)
    assert read["favour"].to_list() == kept["favour"].to_list()


def test_all_shows_the_whole_table_and_top_a_part(charm: Charm) -> None:
    part = charm("audit", "--example", "--draws", 0).stdout
    whole = charm("audit", "--example", "--draws", 0, "--all").stdout
    assert "... 30 more (--all shows all)" in part
    assert " more" not in "".join(line for line in whole.splitlines() if line.startswith("..."))
    assert len(whole.splitlines()) == len(part.splitlines()) + 30 + 29 - 2


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--json", "--csv"), "--json and --csv exclude each other"),
        (("--markdown", "-q", "--csv"), "--markdown and --csv and --quiet exclude each other"),
        (("--all", "--top", "3"), "--all and --top exclude each other"),
    ],
)
def test_two_forms_are_refused(charm: Charm, flags: tuple[str, ...], said: str) -> None:
    result = charm("audit", "--example", *flags)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())
    assert result.stdout == ""


@pytest.mark.filterwarnings("ignore")
def test_no_name_is_markup_in_markdown(charm: Charm, tmp_path: Path) -> None:
    rows = [(f"p{i}", p, float(k + i % 3)) for i in range(40) for k, p in enumerate([HOSTILE, "b", "c", "d"])]
    pl.DataFrame(rows, schema=["prompt_id", "policy", "score"], orient="row").write_parquet(
        tmp_path / "s.parquet"
    )
    ratings = pl.DataFrame({"policy": [HOSTILE, "b", "c", "d"], "rating": [1000, 1100, 1200, 1300]})
    ratings.write_parquet(tmp_path / "r.parquet")
    result = charm(
        "audit", tmp_path / "s.parquet", "--ratings", tmp_path / "r.parquet", "--draws", 0, "--markdown"
    )
    assert result.exit_code == 0, result.output
    page = MarkdownIt("commonmark").enable("table").enable("strikethrough").parse(result.stdout)
    inline = [token for block in page for token in block.children or ()]
    # What we write ourselves is plain text and bold titles; a name that became markup would be something else.
    assert {token.type for token in inline} <= {"text", "text_special", "strong_open", "strong_close"}
    assert {block.type for block in page if block.type.startswith(("html", "code", "fence"))} == set()
    cells = ["".join(t.content for t in block.children or ()) for block in page if block.type == "inline"]
    assert visible(HOSTILE) in cells
    assert [block.tag for block in page if block.type == "heading_open"] == ["h3"]
