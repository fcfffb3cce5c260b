"""Configurations that would take memory or time without end are refused at once, by their line."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from charm_rm.errors import ConfigError, UnreadableFile
from charm_rm.pipeline import load_config

LISTS = "name: x\nb0: &b0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"b{i}: &b{i} [{','.join([f'*b{i - 1}'] * 9)}]\n" for i in range(1, 10)
)
MAPS = "x0: &m0 {a: 1, b: 1}\n" + "".join(
    f"x{i}: &m{i} {{{', '.join(f'{k}: *m{i - 1}' for k in 'abcdefgh')}}}\n" for i in range(1, 12)
)
CASES = {
    "lists of aliases": (LISTS, "values once its aliases are written out"),
    "maps of aliases": (MAPS, "values once its aliases are written out"),
    "itself": ("&a {b: *a}", "contains itself"),
    "deep in brackets": ("[" * 5000, "nested too deep"),
    "deep and closed": ("a: " + "[" * 200 + "]" * 200, "nested more than 30 deep"),
    "deep by indentation": ("\n".join(" " * i + f"k{i}:" for i in range(200)), "nested more than 30 deep"),
    "no date": ("name: !!timestamp 2024-13-45", "cannot be read"),
    "no number": ("seed: !!int x", "cannot be read"),
    "half a character": ('name: "\\ud800"', "lone surrogate"),
    "an unknown tag": ("name: !!python/object:os.system x", "not valid YAML"),
}


@pytest.mark.parametrize("case", CASES)
def test_refused_at_once(tmp_path: Path, case: str) -> None:
    text, words = CASES[case]
    (tmp_path / "charm.yaml").write_text(text)
    began = time.process_time()
    with pytest.raises(ConfigError, match=words):
        load_config(tmp_path / "charm.yaml")
    assert time.process_time() - began < 3


def test_too_long(tmp_path: Path) -> None:
    (tmp_path / "charm.yaml").write_text("# \n" * 1_500_000)
    with pytest.raises(UnreadableFile, match="longer than"):
        load_config(tmp_path / "charm.yaml")


def test_no_plain_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    for path, words in (
        (tmp_path / "pipe.yaml", "pipe"),
        (tmp_path, "folder"),
        (Path("/dev/zero"), "device"),
    ):
        with pytest.raises(UnreadableFile, match=words):
            load_config(path)


def test_aliases_as_people_use_them(tmp_path: Path) -> None:
    text = "responses: {source: r.parquet, policies: &p [a, b]}\nscore: {scores: s.csv}\ncalibrate: {held_out: *p}\n"
    (tmp_path / "charm.yaml").write_text(text)
    config = load_config(tmp_path / "charm.yaml")
    assert config.calibrate is not None
    assert config.calibrate.held_out == ("a", "b")
