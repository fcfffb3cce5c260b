"""``charm calibrate --style``, ``apply`` with a calibrator, and the audit after it, as a person would type them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import Result

from charm_rm import store
from charm_rm.cli.calibrator import no_better_than_noise
from charm_rm.style import load_calibrator
from charm_rm.tables import Scores
from style_worlds import margins_of, world

Charm = Callable[..., Result]
THREE = ("--feature", "words", "--feature", "bold", "--feature", "exclamations")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = world()
    store.save(found.scores, tmp_path / "scores.parquet")
    store.save(found.responses, tmp_path / "responses.parquet")
    store.save(found.ratings, tmp_path / "ratings.csv")
    return tmp_path


def calibrate(charm: Charm, folder: Path, *more: object, style: tuple[str, ...] = ("--style",)) -> Result:
    texts = ("--responses", folder / "responses.parquet")
    how = ("--ratings", folder / "ratings.csv", "--draws", 100, *style)
    return charm(
        "calibrate", folder / "scores.parquet", *how, *(() if "--sharpness" in more else texts), *more
    )


def test_the_figures_on_policies_never_rated_come_first_then_the_weights(charm: Charm, folder: Path) -> None:
    result = calibrate(charm, folder, *THREE, "-o", folder / "c.json")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "On policies and prompts that were not used to solve the weights"
    assert lines[1].strip() == "12 policies in 5 folds, 60 prompts in halves; before -> after [95 % CI]"
    assert lines[2].strip().startswith("mean |P̂ - P|, sharpness fitted: 0.")
    for word in ("noise floor", "placebo", "length only", "Spearman", "over-values it", "Kept: ", "T = "):
        assert word in result.stdout
    assert "adds to the score" in result.stdout
    found = load_calibrator(folder / "c.json")
    assert found.names == ("words", "bold", "exclamations")
    weight = {one.name: one for one in found.features}
    assert weight["bold"].ci_high is not None
    assert weight["bold"].ci_high < 0
    assert max(len(line) for line in result.stdout.splitlines()) <= 80


def test_json_is_the_file(charm: Charm, folder: Path) -> None:
    result = calibrate(charm, folder, *THREE, "--json", "-o", folder / "c.json")
    told, kept = json.loads(result.stdout), json.loads((folder / "c.json").read_text())
    assert {k: v for k, v in kept.items() if k not in ("format", "version")} == {
        k: v for k, v in told.items() if k != "warnings"
    }
    assert told["held_out"][0]["after"] < told["held_out"][0]["before"]


def test_choices_of_the_fit_reach_it(charm: Charm, folder: Path) -> None:
    pl.DataFrame({"policy": world().scores.policies, "group": ["x", "y", "z"] * 4}).write_csv(
        folder / "f.csv"
    )
    more = ("--fix", "exclamations=0.25", "--non-negative", "words", "--penalty", 0.01, "--temperature", 0.7)
    result = calibrate(
        charm, folder, *THREE, *more, "--family", folder / "f.csv", "--with-offsets", "-o", folder / "c.json"
    )
    assert result.exit_code == 0, result.output
    assert "in whole families" in result.stdout
    assert "(fixed)" in result.stdout
    assert "as given" in result.stdout
    found = load_calibrator(folder / "c.json")
    weight = {one.name: one.weight for one in found.features}
    assert weight["exclamations"] == pytest.approx(0.25)
    assert weight["words"] >= 0
    assert (found.penalty, found.fit_temperature) == (0.01, 0.7)
    assert set(found.offsets) == set(world().scores.policies)


def test_length_alone_and_the_scale_alone(charm: Charm, folder: Path) -> None:
    result = calibrate(charm, folder, "--length-only", "-o", folder / "c.json")
    assert result.exit_code == 0, result.output
    assert load_calibrator(folder / "c.json").names == ("words",)
    scale = calibrate(charm, folder, "--sharpness", "-o", folder / "s.json")
    assert scale.exit_code == 0, scale.output
    assert "mean |soft win rate - P|" in scale.stdout
    found = load_calibrator(folder / "s.json")
    assert found.names == ()
    low, high = found.provenance["temperature_ci"]
    assert low < found.temperature < high


def test_from_files_to_an_audit_that_says_in_sample(charm: Charm, folder: Path) -> None:
    """Solved on some policies and half of the prompts: in-sample there, and not on the others."""
    scores = world().scores.frame
    store.save(Scores(scores.filter(pl.col("policy") != "velvet")), folder / "rated.parquet")
    how = (
        "--style",
        *THREE,
        "--responses",
        folder / "responses.parquet",
        "--ratings",
        folder / "ratings.csv",
    )
    solved = charm(
        "calibrate", folder / "rated.parquet", *how, "--draws", 0, "--split", "train", "-o", folder / "c.json"
    )
    assert solved.exit_code == 0, solved.output
    texts = ("--responses", folder / "responses.parquet")
    applied = charm(
        "apply", folder / "scores.parquet", folder / "c.json", *texts, "-o", folder / "new.parquet"
    )
    assert applied.exit_code == 0, applied.output
    assert "720 scores of 12 policies" in applied.stderr
    audit = ("audit", folder / "new.parquet", "--ratings", folder / "ratings.csv", "--draws", 0)
    assert "in-sample: 28 of the 60 prompts are ones that the style calibration" in charm(*audit).stdout
    assert json.loads(charm(*audit, "--split", "test", "--json").stdout)["in_sample"] is None
    again = charm("apply", folder / "new.parquet", folder / "c.json", *texts, "-o", folder / "twice.parquet")
    assert again.exit_code == 2
    assert "carry this style calibration already" in again.stderr
    as_csv = charm("apply", folder / "scores.parquet", folder / "c.json", *texts, "-o", folder / "new.csv")
    assert "does not record that these scores are calibrated" in as_csv.stderr


def test_judgements_are_calibrated_in_log_odds(charm: Charm, folder: Path) -> None:
    store.save(margins_of(world().scores), folder / "margins.parquet")
    texts = ("--responses", folder / "responses.parquet")
    how = (
        "--style",
        *THREE,
        *texts,
        "--ratings",
        folder / "ratings.csv",
        "--draws",
        0,
        "-o",
        folder / "c.json",
    )
    solved = charm("calibrate", folder / "margins.parquet", *how)
    assert solved.exit_code == 0, solved.output
    assert "adds to the log-odds" in solved.stdout
    applied = charm(
        "apply", folder / "margins.parquet", folder / "c.json", *texts, "-o", folder / "m.parquet"
    )
    assert applied.exit_code == 0, applied.output
    refused = charm("apply", folder / "scores.parquet", folder / "c.json", *texts, "-o", folder / "s.parquet")
    assert refused.exit_code == 2
    assert "in log-odds units; these are scores" in refused.stderr


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--over", "oak"), "--over: over is of offsets"),
        (("--method", "pair"), "--style is --method style"),
        (("--all",), "--style is --method style"),
        (("--feature", "wrods"), "Did you mean 'words'"),
        (("--fix", "words"), "'words' is not NAME=WEIGHT"),
        (("--fix", "words=nan"), "'words=nan' is not NAME=WEIGHT"),
        (("--fix", "words=1", "--fix", "words=2"), "fixed twice"),
        ((*THREE, "--fix", "links=1"), "feature 'links' is not among those fitted"),
        (("--keep", "2"), "keep 2.0 is no share"),
        (("--folds", "1"), "at least 2"),
        (("--length-only", "--feature", "bold"), "length_only names its feature itself"),
        (("--sharpness", "--feature", "bold"), "sharpness corrects no feature"),
        (("--own", "toxicity"), "is not a feature of your own"),
        (("-o", "c.parquet"), "a calibrator is a JSON file"),
    ],
)
def test_wrong_usage_is_named(charm: Charm, folder: Path, more: tuple[str, ...], message: str) -> None:
    result = calibrate(charm, folder, *more)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_options_of_style_need_it_and_it_needs_the_texts(charm: Charm, folder: Path) -> None:
    how = ("calibrate", folder / "scores.parquet", "--ratings", folder / "ratings.csv")
    for more, message in (
        (("--over", "oak", "--ref", "reed", "--keep", "0.9"), "--keep: keep is of a style calibration"),
        (("--style",), "give --responses"),
        (("--all", "--responses", folder / "responses.parquet"), "--responses go with --style"),
    ):
        result = charm(*how, *more)
        assert result.exit_code == 2
        assert message in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"format": "charm-calibrator"', "not valid JSON"),
        ('{"format": "charm-calibrator", "version": 99}', "this charm reads up to 1"),
        ('{"format": "else"}', "this is no calibrator"),
        ('{"features": []}', "this is no calibrator"),
        (
            '{"format": "charm-calibrator", "version": 1, "unit": "__import__(\'os\')"}',
            "field 'features' is missing",
        ),
        ("[]", "offsets"),
    ],
)
def test_malformed_calibrators_are_refused(charm: Charm, folder: Path, text: str, message: str) -> None:
    (folder / "c.json").write_text(text)
    texts = () if text == "[]" else ("--responses", folder / "responses.parquet")
    result = charm("apply", folder / "scores.parquet", folder / "c.json", *texts, "-o", folder / "s.parquet")
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_apply_asks_for_the_responses_and_refuses_them_beside_offsets(charm: Charm, folder: Path) -> None:
    calibrate(charm, folder, *THREE, "-o", folder / "c.json")
    result = charm("apply", folder / "scores.parquet", folder / "c.json", "-o", folder / "s.parquet")
    assert result.exit_code == 2
    assert "give --responses" in " ".join(result.stderr.split())
    offsets = pl.DataFrame({"policy": ["oak"], "delta": [1.0], "std_err": [0.1], "ci_low": [0.8], "ci_high": [1.2],
                            "is_reference": [False], "target": [0.5], "attained": [0.5]})  # fmt: skip
    offsets.write_json(folder / "o.json")
    texts = ("--responses", folder / "responses.parquet")
    refused = charm("apply", folder / "scores.parquet", folder / "o.json", *texts, "-o", folder / "s.parquet")
    assert refused.exit_code == 2
    assert "these are offsets" in " ".join(refused.stderr.split())
    moved = charm("apply", folder / "scores.parquet", folder / "o.json", "-o", folder / "s.parquet")
    assert moved.exit_code == 0, moved.output


@pytest.mark.parametrize(
    ("after", "placebo", "said"),
    [(0.055, 0.050, True), (0.0551, 0.0549, True), (0.05, 0.06, False), (0.05, None, False)],
)
def test_what_noise_does_as_well_is_told(after: float, placebo: float | None, said: bool) -> None:
    assert no_better_than_noise({"sharpness_fitted_mismatch": (after, placebo)}) == said


def test_votes_give_a_second_estimate(charm: Charm, folder: Path) -> None:
    scored = world().scores.frame
    sides = scored.join(scored, on="prompt_id").filter(pl.col("policy") < pl.col("policy_right"))
    gap = (sides["score"] - sides["score_right"]).to_numpy()
    wins = np.random.default_rng(0).random(sides.height) < 1 / (1 + np.exp(-gap))
    votes = sides.select(
        "prompt_id", pl.col("policy").alias("policy_a"), pl.col("policy_right").alias("policy_b")
    )
    votes.with_columns(winner=pl.Series(np.where(wins, "a", "b"))).write_parquet(folder / "votes.parquet")
    style = ("--style", "--feature", "words", "--feature", "bold")
    more = ("--votes", folder / "votes.parquet", "--with-votes", "-o", folder / "c.json")
    result = calibrate(charm, folder, *more, style=style)
    assert result.exit_code == 0, result.output
    assert f"The same weights from {sides.height:,} votes on 60 prompts" in result.stdout
    both = load_calibrator(folder / "c.json")
    rows = both.provenance["votes"]["weights"]
    assert [row["feature"] for row in rows] == ["words", "bold"]
    # people voted by the scores as they are: votes find next to nothing to correct
    assert all(abs(row["votes"]) < 0.2 for row in rows)
    assert all(
        min(row["policies"], row["votes"]) <= one.weight <= max(row["policies"], row["votes"])
        for row, one in zip(rows, both.features, strict=True)
    )
    refused = calibrate(charm, folder, "--with-votes", style=style)
    assert refused.exit_code == 2
    assert "votes" in refused.output


@pytest.mark.parametrize("more", [(), ("--responses", "responses.parquet"), ("--other-model",)])
def test_a_calibration_that_is_not_there_is_said_to_be_missing(
    charm: Charm, folder: Path, more: tuple[str, ...]
) -> None:
    missing = folder / "no-such-calibrator.json"
    result = charm("apply", folder / "scores.parquet", missing, *more, "-o", folder / "out.parquet")
    assert result.exit_code == 2
    assert "no-such-calibrator.json: no such file" in result.output
    assert "offsets" not in result.output


def test_what_is_neither_calibrator_nor_offsets_is_told_before_its_options(
    charm: Charm, folder: Path
) -> None:
    other = folder / "other.json"
    other.write_text('{"a": 1}')
    more = ("--responses", folder / "responses.parquet", "-o", folder / "out.parquet")
    result = charm("apply", folder / "scores.parquet", other, *more)
    assert result.exit_code == 2
    assert "these are offsets" not in result.output
    assert "other.json" in result.output
