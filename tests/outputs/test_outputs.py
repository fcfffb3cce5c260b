"""What every command writes: nothing tells where it was made, or by whom; and the same inputs give the same bytes anywhere."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import study_tables
from charm_rm import store
from charm_rm.tables import Scores
from charm_rm.testbed import simulate_arena
from models.tiny_models import simple_preferences
from outputs.conftest import Place, run_in, write_inputs, write_models
from outputs.contents import contents, files, hashes

Tell = Callable[[str], None]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Place]:
    inputs = write_inputs(tmp_path_factory.mktemp("core") / "inputs")
    store.save(simple_preferences(24), inputs / "pairs.parquet")
    return _twice(inputs, models=False)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, minilm_dir: Path) -> tuple[Place, Place]:
    for extra in ("trl", "peft"):
        pytest.importorskip(extra, reason="needs the [hf] extra")
    inputs = write_inputs(tmp_path_factory.mktemp("models") / "inputs")
    write_models(inputs, minilm_dir)
    return _twice(inputs, models=True)


def _twice(inputs: Path, *, models: bool) -> tuple[Place, Place]:
    one = run_in(inputs, inputs.parent / "one" / "zanzibar", models=models, threads=1)
    return one, run_in(inputs, inputs.parent / "another" / "much" / "deeper", models=models, threads=2)


KINDS = ["core", pytest.param("models", marks=pytest.mark.models)]


@pytest.fixture(params=KINDS)
def places(request: pytest.FixtureRequest) -> tuple[Place, Place]:
    found: tuple[Place, Place] = request.getfixturevalue(request.param)
    return found


def test_no_file_tells_where_it_was_made_or_by_whom(places: tuple[Place, Place], tell: Tell) -> None:
    place = places[0]
    found = files(place.outputs)
    told = [
        f"{name} holds {what}"
        for name, path in found.items()
        for what, secret in place.secrets.items()
        if secret.encode() in contents(path)
    ]
    assert told == []
    tell(f"files searched for paths, home and user: {len(found)}")


def test_the_same_inputs_give_the_same_bytes(places: tuple[Place, Place], tell: Tell) -> None:
    """In another folder, later, in another process with other hashes, another time zone and twice the threads."""
    one, other = (hashes(place.outputs) for place in places)
    assert one.keys() == other.keys()
    differ = [name for name in one if one[name] != other[name]]
    left = [name for name in differ if name.rsplit("/", 1)[-1] not in VARIES]
    assert left == []
    for name in differ:
        same = VARIES[name.rsplit("/", 1)[-1]]
        assert same(places[0].outputs / name) == same(places[1].outputs / name), name
    tell(f"files of two places compared byte by byte: {len(one) - len(differ)} the same")


def _without_times(path: Path) -> Any:
    content = json.loads(path.read_text())
    for record in content["stages"].values():
        del record["started"], record["seconds"]
    return content


def _hashes_alone(path: Path) -> Any:
    seen = json.loads(path.read_text())
    return {name: kept[-1] for name, kept in seen.items() if not name.startswith("elsewhere:")}


# A run's own memory, and secrets drawn by chance. What they say otherwise is the same.
VARIES: dict[str, Callable[[Path], Any]] = {
    "manifest.json": _without_times,
    ".hashes.json": _hashes_alone,
    "study.db": lambda path: study_tables.same(path.read_bytes()),
    ".lock": lambda path: path.read_text().strip().isdigit(),
}


def test_intervals_do_not_depend_on_the_number_of_threads(tmp_path: Path) -> None:
    """On enough prompts that BLAS would split its products."""
    arena = simulate_arena(seed=0, n_prompts=1500, n_votes=20_000)
    scores = arena.quality.select("prompt_id", "policy", score=pl.col("quality") + pl.col("style"))
    store.save(Scores(scores), tmp_path / "scores.parquet")
    store.save(arena.true_ratings, tmp_path / "ratings.parquet")
    command = [sys.executable, "-c", "from charm_rm.cli import main; main()", "audit", "scores.parquet"]
    command += ["--ratings", "ratings.parquet", "--draws", "100", "--json"]
    told = {
        subprocess.run(
            command, cwd=tmp_path, check=True, capture_output=True,
            env={k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}
            | {"OMP_NUM_THREADS": n, "POLARS_MAX_THREADS": n},
        ).stdout
        for n in ("1", "4")
    }  # fmt: skip
    assert len(told) == 1


def test_the_search_would_find_what_it_looks_for(tmp_path: Path) -> None:
    """In a packed column and in metadata of Parquet, in Parquet within a study, and escaped in JSON."""
    text = "/somewhere/else/" + "x" * 50
    frame = pl.DataFrame({"source": [text] * 100})
    frame.write_parquet(tmp_path / "column.parquet", compression="zstd")
    pl.DataFrame({"a": [1]}).write_parquet(
        tmp_path / "metadata.parquet", metadata={"charm": json.dumps({"p": text})}
    )
    with contextlib.closing(sqlite3.connect(tmp_path / "study.db")) as connection:
        connection.execute("CREATE TABLE blobs (name, part, bytes)")
        blob = (tmp_path / "column.parquet").read_bytes()
        connection.execute("INSERT INTO blobs VALUES ('candidates', 0, ?)", [blob])
        connection.commit()
    (tmp_path / "a.json").write_text(json.dumps({"path": text}).replace("/", "\\/"))
    assert all(text.encode() in contents(path) for path in tmp_path.iterdir())
