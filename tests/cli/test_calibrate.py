"""``charm calibrate``, ``apply`` and ``relabel``, one after the other as a person would."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from charm_rm import store
from charm_rm.tables import Offsets, Scores
from simulated_offsets import arena, ratings_of, scores_of

PAIR = ("--over", "A", "--ref", "B", "--draws", 100)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    scores, ratings = arena(80, 4, seed=0)
    store.save(scores, tmp_path / "scores.parquet")
    store.save(ratings, tmp_path / "ratings.csv")
    responses = scores.frame.select(
        "prompt_id",
        pl.concat_str(pl.lit("Say "), "prompt_id").alias("prompt"),
        "policy",
        pl.concat_str("policy", "prompt_id").alias("response"),
    )
    responses.write_parquet(tmp_path / "responses.parquet")
    return tmp_path


def calibrate(charm: Callable, folder: Path, *more: object):
    return charm("calibrate", folder / "scores.parquet", "--ratings", folder / "ratings.csv", *more)


def test_one_pair_is_solved_printed_and_written(charm: Callable, folder: Path) -> None:
    result = calibrate(charm, folder, *PAIR, "-o", folder / "offsets.parquet")
    assert result.exit_code == 0, result.output
    for word in ("delta", "95 % CI", "target win rate", "attained", "Held at 0: B"):
        assert word in result.stdout
    offsets = store.load(Offsets, folder / "offsets.parquet")
    assert offsets.frame["policy"].to_list() == ["A", "B"]


def test_json_is_all_that_is_printed(charm: Callable, folder: Path) -> None:
    result = calibrate(charm, folder, *PAIR, "--json", "--link", "sigmoid", "--temperature", 0.5)
    found = json.loads(result.stdout)
    assert set(found) == {"offsets", "residuals", "warnings", "provenance"}
    first = found["offsets"][0]
    assert abs(first["attained"] - first["target"]) < 1e-9
    assert found["provenance"]["temperature"] == 0.5


@pytest.mark.parametrize("more", [("--unpaired",), ("--ref", "C"), ("--over", "D")])
def test_variants_of_the_pair(charm: Callable, folder: Path, more: tuple[str, ...]) -> None:
    result = calibrate(charm, folder, *PAIR, *more)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("more", [(), ("--ref", "B"), ("--method", "least-squares")])
def test_all_policies(charm: Callable, folder: Path, more: tuple[str, ...]) -> None:
    result = calibrate(charm, folder, "--all", "--draws", 100, *more, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert len(found["offsets"]) == 4
    assert len(found["residuals"]) == 6


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--over", "A"), "--ref POLICY"),
        (("--all", "--over", "A"), "leave out --over"),
        (("--all", "--unpaired"), "leave out --unpaired"),
        (("--over", "A", "--ref", "Bee"), "no policy 'Bee'"),
        (("--over", "A", "--ref", "B", "--temperature", "0"), "above 0"),
    ],
)
def test_wrong_usage_is_named(charm: Callable, folder: Path, more: tuple[str, ...], message: str) -> None:
    result = calibrate(charm, folder, *more)
    assert result.exit_code == 2
    assert message in result.stderr


def test_scores_of_the_wrong_sign_are_told_so(charm: Callable, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rating = {name: 1000.0 + 80 * i for i, name in enumerate("ABCDEF")}
    values = {name: (-r / 150 + rng.gumbel(size=100)).tolist() for name, r in rating.items()}
    store.save(scores_of(values), tmp_path / "scores.parquet")
    store.save(ratings_of(rating), tmp_path / "ratings.csv")
    result = calibrate(charm, tmp_path, "--all", "--draws", 100)
    assert result.exit_code == 0, result.output
    assert "UPSIDE DOWN" in result.stderr
    assert "check the sign of the scores" in " ".join(result.stderr.split())


def test_an_output_that_exists_is_refused_before_any_work(charm: Callable, folder: Path) -> None:
    taken = folder / "offsets.parquet"
    taken.write_text("mine")
    result = charm("calibrate", folder / "nothing.parquet", "--ratings", "arena", *PAIR, "-o", taken)
    assert result.exit_code == 2
    assert "already exists" in result.stderr
    assert taken.read_text() == "mine"


def test_ratings_are_asked_for(charm: Callable, folder: Path) -> None:
    result = charm("calibrate", folder / "scores.parquet", *PAIR)
    assert result.exit_code == 2
    assert "--ratings arena" in result.stderr


def test_apply_moves_the_scores(charm: Callable, folder: Path) -> None:
    calibrate(charm, folder, "--all", "--draws", 0, "-o", folder / "offsets.parquet")
    arguments = (folder / "scores.parquet", folder / "offsets.parquet", "-o", folder / "new.parquet")
    result = charm("apply", *arguments)
    assert result.exit_code == 0, result.output
    assert "320 scores of 4 policies" in result.stderr
    offsets = store.load(Offsets, folder / "offsets.parquet")
    before, after = (store.load(Scores, folder / name).frame for name in ("scores.parquet", "new.parquet"))
    moved = (after["score"] - before["score"]).to_frame().with_columns(before["policy"])
    for policy, delta in offsets.frame.select("policy", "delta").iter_rows():
        assert moved.filter(pl.col("policy") == policy)["score"].to_numpy() == pytest.approx(delta)
    again = charm("apply", *arguments)
    assert again.exit_code == 2
    assert "--force" in again.stderr


def relabel(charm: Callable, folder: Path, *more: object):
    files = [folder / name for name in ("scores.parquet", "responses.parquet", "offsets.parquet")]
    return charm("relabel", *files, "-o", folder / "prefs", *more)


def test_swapped_arguments_of_apply_are_told(charm: Callable, folder: Path) -> None:
    offsets = folder / "offsets.parquet"
    calibrate(charm, folder, "--all", "--draws", 0, "-o", offsets)
    result = charm("apply", offsets, folder / "scores.parquet", "-o", folder / "x.parquet")
    assert result.exit_code == 2
    assert "the arguments look swapped" in result.stderr
    assert f"Fix: charm apply {folder / 'scores.parquet'} {offsets}" in result.stderr


def test_relabel_writes_the_folder(charm: Callable, folder: Path) -> None:
    calibrate(charm, folder, *PAIR, "-o", folder / "offsets.parquet")
    result = relabel(charm, folder)
    assert result.exit_code == 0, result.output
    assert "flipped" in result.stdout
    assert "80 preference pairs" in result.stderr
    assert (folder / "prefs" / "preferences.jsonl").exists()
    assert relabel(charm, folder).exit_code == 2
    assert relabel(charm, folder, "--force").exit_code == 0


def test_relabel_takes_strategies_and_prompts(charm: Callable, folder: Path) -> None:
    calibrate(charm, folder, "--all", "--draws", 0, "-o", folder / "offsets.parquet")
    refused = relabel(charm, folder)
    assert refused.exit_code == 2
    assert "no reference" in refused.stderr
    pl.DataFrame({"prompt_id": ["p0000", "p0001"]}).write_csv(folder / "some.csv")
    for strategy, pairs in (("all-pairs", 12), ("best-vs-worst", 2), ("sampled", 6)):
        more = ("--strategy", strategy, "-k", 3, "--prompts", folder / "some.csv", "--json", "--force")
        result = relabel(charm, folder, *more)
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["pairs"] == pairs
    pl.DataFrame({"id": ["p0000"]}).write_csv(folder / "some.csv")
    result = relabel(charm, folder, "--prompts", folder / "some.csv", "--force")
    assert result.exit_code == 2
    assert "column 'prompt_id' is missing" in result.stderr


# --- prompts, in-sample, twice ------------------------------------------------------------------


def test_solved_on_one_side_audited_on_the_other(charm: Callable, folder: Path) -> None:
    """The audit of calibrated scores says in-sample first, and not where the prompts were held out."""
    solved = calibrate(charm, folder, "--all", "--draws", 0, "--split", "train", "-o", folder / "o.parquet")
    assert solved.exit_code == 0, solved.output
    assert "after in-sample" in solved.stdout
    assert "after cross-fitted" in solved.stdout
    applied = charm("apply", folder / "scores.parquet", folder / "o.parquet", "-o", folder / "c.parquet")
    assert applied.exit_code == 0, applied.output
    how = ("--ratings", folder / "ratings.csv", "--draws", 0)
    whole = charm("audit", folder / "c.parquet", *how)
    assert whole.stdout.splitlines()[1].strip().startswith("in-sample: ") or "in-sample: " in whole.stdout
    found = json.loads(charm("audit", folder / "c.parquet", *how, "--json").stdout)
    assert 0 < found["in_sample"]["solved_on"] < found["in_sample"]["prompts"] == 80
    held_out = json.loads(charm("audit", folder / "c.parquet", *how, "--json", "--split", "test").stdout)
    assert held_out["in_sample"] is None
    assert held_out["summary"]["prompts"] == 80 - found["in_sample"]["solved_on"]


def test_prompts_of_a_file_are_used_alone(charm: Callable, folder: Path) -> None:
    some = pl.DataFrame(
        {"prompt_id": [f"p{i:04d}" for i in range(40)], "split": ["train"] * 30 + ["test"] * 10}
    )
    some.write_csv(folder / "split.csv")
    result = calibrate(
        charm,
        folder,
        *PAIR,
        "--prompts",
        folder / "split.csv",
        "--split",
        "train",
        "-o",
        folder / "o.parquet",
    )
    assert result.exit_code == 0, result.output
    assert store.load(Offsets, folder / "o.parquet").provenance["solved_on"]["n_prompts"] == 30
    bad = calibrate(charm, folder, *PAIR, "--prompts", folder / "split.csv", "--split-seed", 3)
    assert bad.exit_code == 2
    assert "go with --split" in bad.output


def test_offsets_are_not_added_twice(charm: Callable, folder: Path) -> None:
    calibrate(charm, folder, *PAIR, "-o", folder / "o.parquet")
    charm("apply", folder / "scores.parquet", folder / "o.parquet", "-o", folder / "once.parquet")
    again = charm("apply", folder / "once.parquet", folder / "o.parquet", "-o", folder / "twice.parquet")
    labels = charm(
        "relabel",
        folder / "once.parquet",
        folder / "responses.parquet",
        folder / "o.parquet",
        "-o",
        folder / "p",
    )
    for result in (again, labels):
        assert result.exit_code == 2
        assert "carry these offsets already" in result.output
    as_csv = charm("apply", folder / "scores.parquet", folder / "o.parquet", "-o", folder / "once.csv")
    assert "does not record that these scores are calibrated" in as_csv.output


def test_an_open_end_is_a_word_and_null(charm: Callable, folder: Path) -> None:
    pl.DataFrame({"policy": ["A", "B"], "rating": [1000.0, 1700.0], "std_err": [5.0, 5.0]}).write_csv(
        folder / "far.csv"
    )
    how = ("calibrate", folder / "scores.parquet", "--ratings", folder / "far.csv", *PAIR)
    result = charm(*how)
    assert "[open, " in result.stdout
    first = json.loads(charm(*how, "--json").stdout)["offsets"][0]
    assert (first["ci_low"], first["ci_open"]) == (None, "low")


# --- scores larger than memory --------------------------------------------------------------------


def _parts(folder: Path) -> Path:
    parts = folder / "parts"
    parts.mkdir()
    frame = pl.read_parquet(folder / "scores.parquet").sample(fraction=1.0, shuffle=True, seed=0)
    for i in range(3):
        frame[i::3].write_parquet(parts / f"{i}.parquet")
    return parts


@pytest.mark.parametrize(
    "more",
    [
        PAIR,
        (*PAIR, "--ref", "C", "--link", "sigmoid"),
        (*PAIR, "--unpaired"),
        ("--over", "auto", "--ref", "auto", "--draws", 100, "--held-out", "D"),
        (*PAIR, "--split", "train"),
    ],
)
def test_streamed_it_solves_what_it_solves_in_memory(
    charm: Callable, folder: Path, more: tuple[str, ...]
) -> None:
    """Every prompt has all policies, so the draws and the halves are the same too."""
    known = calibrate(charm, folder, *more, "--json")
    parts = _parts(folder)
    found = charm(
        "calibrate", parts, "--ratings", folder / "ratings.csv", *more, "--json", "--engine", "streaming"
    )
    assert found.exit_code == 0, found.output
    assert "engine: streaming, as asked" in found.stderr
    one, other = json.loads(found.stdout), json.loads(known.stdout)
    assert one["offsets"] == other["offsets"]
    assert one["residuals"] == other["residuals"]
    assert one["provenance"]["effect"] == other["provenance"]["effect"]
    assert one["provenance"]["solved_on"] == other["provenance"]["solved_on"]


def test_streamed_it_solves_all_and_refuses_what_takes_all_scores_and_pairs_beyond_memory(
    charm: Callable, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("calibrate", _parts(folder), "--ratings", folder / "ratings.csv", "--engine", "streaming")
    joint = charm(*asked, "--all", "--draws", 100)
    assert joint.exit_code == 0, joint.output
    assert "Offsets, in score units (hard link)" in joint.stdout
    squares = charm(*asked, "--all", "--objective", "least-squares")
    assert squares.exit_code == 2
    assert "cannot solve least squares" in squares.stderr
    judged = charm(*asked, *PAIR, "--judge", "gpt")
    assert judged.exit_code == 2
    assert "cannot do --judge" in judged.stderr
    monkeypatch.setattr("charm_rm.streaming.stream.IN_MEMORY", 1 << 20)
    pair = charm(*asked, *PAIR, "--memory", "64MB")
    assert pair.exit_code == 2
    assert "the scores of 'A', 'B' take more than 64 MB" in pair.stderr
