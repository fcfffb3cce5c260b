"""The page of benchmarks names every one of them, with its evidence."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

from charm_rm.benchmarks import list_benchmarks

PAGE = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text("utf-8")


def rows(heading: str) -> list[str]:
    """The names in the first column of the table below a heading."""
    lines = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0].splitlines()
    cells = [line.split("|")[1].strip() for line in lines if line.startswith("| `")]
    return [name.strip("`") for cell in cells for name in cell.split(", ")]


def test_every_benchmark_has_a_row_and_says_what_it_rests_on() -> None:
    names = [one.name for one in list_benchmarks() if one.home.startswith("charm_rm.")]
    assert sorted(rows("How each is scored")) == names
    evidence = rows("How we know")
    assert [n for n in names if not any(fnmatch(n, pattern) for pattern in evidence)] == []


def test_every_benchmark_says_where_to_get_it() -> None:
    for one in list_benchmarks():
        if one.home.startswith("charm_rm."):
            assert one.source.startswith("https://")
            assert one.licence
            assert one.citation
