"""The tables of every command that prints some, on screens of 40 to 200 columns: no number is cut."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import charm_rm.cli.tables as tables_module
from charm_rm.cli.layout import Layout, cell_width, table_lines
from table_commands import COMMANDS, SOLVE, write_inputs

Charm = Callable[..., Result]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_inputs(tmp_path_factory.mktemp("widths"))


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Layout]:
    """The tables that a command lays out, as it runs."""
    found: list[Layout] = []
    real = tables_module.framed

    def recorded(*args: object, **how: object) -> Layout:
        found.append(real(*args, **how))  # type: ignore[arg-type]
        return found[-1]

    monkeypatch.setattr(tables_module, "framed", recorded)
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("line", COMMANDS)
def test_no_number_is_cut(
    charm: Charm, folder: Path, monkeypatch: pytest.MonkeyPatch, shown: list[Layout], line: str
) -> None:
    monkeypatch.chdir(folder)
    if "OFFSETS" in line:
        first = charm(*SOLVE.split())
        assert first.exit_code == 0, first.output
        shown.clear()
    result = charm(*line.replace("OFFSETS", "o.parquet").split())
    assert result.exit_code == 0, result.output
    assert shown
    for table in shown:
        for width in range(40, 201):
            check(table, width)


def check(table: Layout, width: int) -> None:
    """What is printed of the cells is printed whole, and no line is longer than the screen but for one long word."""
    lines = table_lines(table, width)
    names = {part for c in table.columns for part in (*re.split(r"(?<=_)| ", c.name), *c.name.split())}
    whole = {word for c in table.columns for cell in c.cells for word in cell.split()}
    for line in lines:
        if line.startswith("(too narrow"):  # the last lines of a table
            break
        if line.startswith("... ") or set(line) <= {"-", " "}:
            continue
        for word in line.split():
            assert word in whole | names, (width, word, line)
        assert cell_width(line) <= width or len(line.split()) == 1, (width, line)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_lines_between_tables_fit_as_well(charm: Charm, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = charm("audit", "--example", "--draws", 0).stdout.splitlines()
    assert max(map(cell_width, lines)) <= width
    assert lines[0].startswith("Audit of AlpacaEval")


def test_without_a_screen_nothing_is_left_out(charm: Charm) -> None:
    text = charm("audit", "--example", "--draws", 0).stdout
    assert "too narrow" not in text
    assert re.search(r"rm_elo +arena_elo", text)
    assert "2.4e-94" in text
