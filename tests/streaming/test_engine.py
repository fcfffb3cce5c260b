"""Which way scores are read: by size, or as asked, in words."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from charm_rm.errors import ConfigError
from charm_rm.settings import OutOfCoreSettings
from charm_rm.streaming import choose_engine
from charm_rm.streaming.memory import IN_MEMORY, parse_bytes, say_bytes


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4GB", 4 << 30),
        ("500 mb", 500 << 20),
        ("1.5GiB", 3 << 29),
        ("128M", 128 << 20),
        ("67108864", 64 << 20),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["much", "4 XB", "10KB", "-4GB", ""])
def test_no_sizes(text: str) -> None:
    with pytest.raises(ConfigError, match="--memory"):
        parse_bytes(text)


def test_sizes_in_words() -> None:
    assert [say_bytes(x) for x in (12, 2048, 3 << 20, 1.5 * 2**30, 40 * 2**30)] == [
        *("12 bytes", "2.0 KB", "3.0 MB", "1.5 GB", "40 GB")
    ]


def test_by_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.parquet"
    pl.DataFrame({"prompt_id": ["a"] * 500, "policy": "oak", "score": 1.0}).write_parquet(path)
    small = choose_engine(path, OutOfCoreSettings(memory="64MB"))
    assert (small.streaming, small.memory) == (False, 64 << 20)
    monkeypatch.setattr("charm_rm.streaming.engine.IN_MEMORY", 1 << 20)
    large = choose_engine(path, OutOfCoreSettings(memory="64MB"))
    assert large.streaming
    assert "500 rows would take about 500 MB at once, and 64 MB are allowed" in large.why
    assert not choose_engine(path, OutOfCoreSettings(engine="memory", memory="64MB")).streaming
    assert IN_MEMORY < 1 << 20


def test_what_cannot_be_streamed_is_read_in_memory_and_says_so(tmp_path: Path) -> None:
    pl.DataFrame({"x": [1]}).write_csv(tmp_path / "s.csv")
    for path in (tmp_path / "s.csv", tmp_path / "gone.parquet"):
        assert "only Parquet" in choose_engine(path, OutOfCoreSettings()).why
    assert choose_engine(tmp_path / "s.csv", OutOfCoreSettings(engine="streaming")).streaming
