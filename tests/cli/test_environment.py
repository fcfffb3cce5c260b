"""What the system refuses is told in a sentence: a full standard output, a deleted working folder, paths too long, folders without access.

Each runs the command as people do, in a process of its own; in this one there is no such standard output.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import polars as pl
import pytest
from click.testing import Result

from charm_rm import store

SCORES = pl.DataFrame(
    {"prompt_id": ["p", "q"] * 2, "policy": ["a", "a", "b", "b"], "score": [0.1, 0.2, 0.3, 0.4]}
)
CHARM = "from charm_rm.cli import main; main()"


def in_a_shell(line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell in which ``charm`` is the command."""
    line = f"charm() {{ exec {sys.executable} -c '{CHARM}' \"$@\"; }}\n{line}"
    return subprocess.run(["sh", "-c", line], text=True, capture_output=True, check=False, timeout=120)


def told(done: subprocess.CompletedProcess[str] | Result, *words: str) -> bool:
    """A typed error: these words, a way out, and no traceback."""
    assert "Traceback" not in done.stderr
    assert "fault in charm" not in done.stderr
    return "Fix:" in done.stderr and all(word in done.stderr for word in words)


@pytest.mark.parametrize("arguments", ["--help", "ratings show arena --top 3", "ratings show arena --json"])
def test_a_full_standard_output(arguments: str) -> None:
    done = in_a_shell(f"charm {arguments} > /dev/full")
    assert done.returncode == 1
    assert told(done, "standard output", "No space left on device")


def test_a_closed_standard_output() -> None:
    done = in_a_shell("charm ratings show arena --top 3 >&-")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_deleted_working_folder(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    done = in_a_shell(f"cd '{gone}' && rmdir '{gone}' && charm init")
    assert done.returncode == 2
    assert told(done, "the working folder was deleted")


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """Root may open everything; so it is somebody else for a while. (What a command imports must have been imported before.)"""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_folder_without_access(charm: Callable[..., Result]) -> None:
    with tempfile.TemporaryDirectory() as name:  # not pytest's own, into which nobody else may look
        folder = Path(name)
        scores = store.write_frame(SCORES, folder / "scores.parquet")
        ratings = folder / "ratings.csv"
        ratings.write_text("policy,rating\na,1000\nb,1100\n")
        cases: dict[str, tuple[object, ...]] = {
            "secret.parquet": ("audit", folder / "secret.parquet", "--ratings", ratings),
            "closed": ("audit", folder / "closed" / "scores.parquet", "--ratings", ratings),
            "out": ("audit", scores, "--ratings", ratings, "-o", folder / "closed" / "out"),
            "table": ("ratings", "save", ratings, "-o", folder / "closed" / "table.parquet"),
        }
        for path in ("secret.parquet", "closed/scores.parquet"):
            (folder / path).parent.mkdir(exist_ok=True)
            store.write_frame(SCORES, folder / path)
        for arguments in cases.values():
            assert charm(*arguments).exit_code == 0
        (folder / "secret.parquet").chmod(0)
        (folder / "closed").chmod(0)
        folder.chmod(0o755)
        with nobody():
            done = {
                word: charm(*arguments, "--force" if "-o" in arguments else "--json")
                for word, arguments in cases.items()
            }
        (folder / "closed").chmod(0o755)
        for word, result in done.items():
            assert result.exit_code in (1, 2), (word, result.stderr)
            assert told(result, word, "ermission denied"), (word, result.stderr)


LONG = ("x" * 300, "y/" * 3000 + "z")


@pytest.mark.parametrize("name", LONG)
def test_paths_too_long(charm: Callable[..., Result], tmp_path: Path, name: str) -> None:
    long = tmp_path / f"{name}.parquet"
    scores = store.write_frame(SCORES, tmp_path / "scores.parquet")
    for arguments in (
        ("audit", long, "--ratings", "arena"),
        ("audit", scores, "--ratings", long),
        ("ratings", "show", long),
        ("apply", scores, scores, "-o", long),
        ("audit", "--example", "-o", long),
        ("run", long),
        ("init", long),
        ("report", long),
        ("score", long, "--rm", "python:m:f", "-o", tmp_path / "s.parquet"),
        *([("doctor", "--rm", long)] if find_spec("torch") else []),
    ):
        done = charm(*arguments)
        assert done.exit_code == 2, (arguments[0], done.stderr)
        assert told(done, "too long"), (arguments[0], done.stderr)


@pytest.mark.parametrize(
    "name", ["a[b].parquet", "[0-9].parquet", "a*b.parquet", "a?.parquet", "a b.parquet", "~a.parquet"]
)
def test_names_that_look_like_patterns(charm: Callable[..., Result], tmp_path: Path, name: str) -> None:
    offsets = pl.DataFrame(
        {"policy": ["a", "b"], "delta": [0.5, 0.0], "is_reference": [False, True]}
    ).with_columns(
        pl.lit(None, pl.Float64).alias(c) for c in ("std_err", "ci_low", "ci_high", "target", "attained")
    )
    store.write_frame(SCORES, tmp_path / "a0.parquet")  # what a pattern would find
    scores = store.write_frame(SCORES.with_columns(pl.col("score") + 1), tmp_path / name)
    out = tmp_path / "out.parquet"
    done = charm("apply", scores, store.write_frame(offsets, tmp_path / "offsets.parquet"), "-o", out)
    assert done.exit_code == 0, done.stderr
    assert pl.read_parquet(out)["score"].to_list() == pytest.approx([1.6, 1.7, 1.3, 1.4])
