"""Registration: where a benchmark is defined, in this package and in others."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from charm_rm.benchmarks import (
    Benchmark,
    benchmark,
    find_benchmark,
    list_benchmarks,
    load_benchmark,
    registry,
)
from charm_rm.errors import CharmWarning, ConfigError, UnreadableFile

ABOUT = {"about": "whatever", "citation": "nobody", "licence": "none"}


@pytest.fixture(autouse=True)
def registered_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is forgotten."""
    monkeypatch.setattr(registry, "_REGISTERED", dict(registry._REGISTERED))


@pytest.fixture
def other_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A tiny installed distribution that adds the benchmark `tiny`; yields its module's file."""
    module = tmp_path / "tiny_benchmark.py"
    module.write_text(
        textwrap.dedent(
            """
            from charm_rm.benchmarks import Benchmark, benchmark, good_and_bad, mean_of_subsets

            @benchmark(name="tiny", about="one question", citation="me, 2025", licence="CC0", items=1)
            def load(folder):
                item = good_and_bad("1", "only", "2 + 2?", ["4"], ["5"])
                return Benchmark("tiny", (item,), (mean_of_subsets("all", "accuracy", [["only"]]),), 0.5)
            """
        )
    )
    info = tmp_path / "tiny_benchmark-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-benchmark\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[charm_rm.benchmarks]\ntiny = tiny_benchmark:load\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield module
    sys.modules.pop("tiny_benchmark", None)


def test_the_benchmarks_of_this_package_say_what_they_are() -> None:
    found = {registered.name: registered for registered in list_benchmarks()}
    assert {"llmbar", "rm-bench"} <= set(found)
    for registered in found.values():
        assert registered.about
        assert registered.citation
        assert registered.licence
    assert (found["llmbar"].items, found["rm-bench"].items) == (419, 1327)


def test_another_package_adds_its_own(other_package: Path, tmp_path: Path) -> None:
    assert other_package.exists()
    found = find_benchmark("tiny")
    assert (found.about, found.citation, found.licence, found.items) == ("one question", "me, 2025", "CC0", 1)
    assert load_benchmark("tiny", tmp_path).items[0].chosen == ("4",)
    with pytest.raises(ConfigError, match="Did you mean 'tiny'"):
        find_benchmark("tinny")


def test_one_that_cannot_be_imported_is_left_out_and_named(other_package: Path) -> None:
    other_package.write_text("raise RuntimeError('half installed')")
    with pytest.warns(
        CharmWarning, match=r"'tiny' of tiny-benchmark is left out: RuntimeError: half installed"
    ):
        names = [registered.name for registered in list_benchmarks()]
    assert "llmbar" in names
    assert "tiny" not in names


def test_two_of_one_name_are_refused(other_package: Path) -> None:
    other_package.write_text(other_package.read_text().replace('"tiny", about', '"llmbar", about'))
    with pytest.warns(CharmWarning, match="two benchmarks are called 'llmbar'"):
        found = find_benchmark("llmbar")
    assert found.home == "charm_rm.benchmarks.llmbar.load_llmbar"


def test_the_decorator_leaves_the_loader_as_it_is_and_refuses_a_second_of_its_name() -> None:
    def load(folder: Path) -> Benchmark:
        raise AssertionError(folder)

    assert benchmark(name="mine", **ABOUT)(load) is load
    assert benchmark(name="mine", **ABOUT)(load) is load  # a module that is imported again
    with pytest.raises(ConfigError, match="two benchmarks are called 'mine'"):

        @benchmark(name="mine", **ABOUT)
        def other(folder: Path) -> Benchmark:
            raise AssertionError(folder)


def test_a_missing_folder_is_said_before_the_loader_is_called(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="no such folder"):
        load_benchmark("llmbar", tmp_path / "missing")
