"""Adding offsets to scores."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from charm_rm import compare_favour, influence, store
from charm_rm.errors import CharmWarning, ConfigError, UnknownPolicy
from charm_rm.evaluate import alignment_with_ratings
from charm_rm.mismatch import Audit, audit, save_audit
from charm_rm.offsets import apply_offsets, solve_joint_offsets
from charm_rm.relabel import relabel_preferences
from charm_rm.solved_on import in_sample, solved_on
from charm_rm.splits import Split, on_side
from charm_rm.tables import Offsets, Ratings, Responses, Scores, WinRates
from simulated_offsets import arena, scores_of


def offsets_of(deltas: dict[str, float]) -> Offsets:
    frame = pl.DataFrame({"policy": list(deltas), "delta": list(deltas.values())})
    empty = [
        pl.lit(None, dtype=pl.Float64).alias(c)
        for c in ("std_err", "ci_low", "ci_high", "target", "attained")
    ]
    return Offsets(frame.with_columns((pl.col("delta") == 0).alias("is_reference"), *empty))


def test_each_score_moves_by_the_offset_of_its_policy() -> None:
    calibrated = apply_offsets(scores_of({"A": [1, 2], "B": [5]}), offsets_of({"A": -0.5, "B": 0.0}))
    assert calibrated.frame.rows() == [("p0000", "A", 0.5), ("p0001", "A", 1.5), ("p0000", "B", 5.0)]
    assert calibrated.provenance["calibrated"] == {"A": -0.5, "B": 0.0}


def test_policies_without_an_offset_are_named() -> None:
    with pytest.warns(CharmWarning, match="no offset for 'B'"):
        calibrated = apply_offsets(scores_of({"A": [1], "B": [5]}), offsets_of({"A": 1.0}))
    assert calibrated.frame["score"].to_list() == [2.0, 5.0]


def test_offsets_of_other_policies_are_refused() -> None:
    with pytest.raises(UnknownPolicy, match="no policy of the scores"):
        apply_offsets(scores_of({"A": [1]}), offsets_of({"Z": 1.0}))


# --- what scores carry --------------------------------------------------------------------------


def solved(scores: Scores, ratings: Ratings) -> Offsets:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        return solve_joint_offsets(scores, ratings, references="C", draws=0)


def quiet_audit(scores: Scores, ratings: Ratings) -> Audit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        return audit(scores, ratings, draws=0)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_the_same_offsets_are_refused_a_second_time(tmp_path: Path, suffix: str) -> None:
    """Through files, too: scores in Parquet, offsets in anything."""
    scores, ratings = arena(60, 3, seed=1)
    store.save(solved(scores, ratings), tmp_path / f"o{suffix}")
    offsets = store.load(Offsets, tmp_path / f"o{suffix}")
    store.save(apply_offsets(scores, offsets), tmp_path / "calibrated.parquet")
    once = store.load(Scores, tmp_path / "calibrated.parquet")
    with pytest.raises(ConfigError, match="carry these offsets already"):
        apply_offsets(once, offsets)
    texts = Responses(
        once.frame.select("prompt_id", "policy").with_columns(
            pl.lit("q").alias("prompt"), pl.col("policy").alias("response")
        )
    )
    with pytest.raises(ConfigError, match="carry these offsets already"):
        relabel_preferences(once, texts, offsets)


def test_other_offsets_on_top_are_warned_of_and_add_up() -> None:
    scores = scores_of({"A": [1, 2], "B": [5, 6]})
    once = apply_offsets(scores, offsets_of({"A": -0.5, "B": 0.0}))
    with pytest.warns(CharmWarning, match="carry other calibrations already"):
        twice = apply_offsets(once, offsets_of({"A": 0.25, "B": 0.0}))
    assert twice.provenance["calibrated"] == {"A": -0.25, "B": 0.0}
    assert len(twice.provenance["calibrations"]) == 2


def test_an_audit_knows_prompts_that_offsets_were_solved_on(tmp_path: Path) -> None:
    scores, ratings = arena(200, 4, seed=2)
    train, test = (on_side(scores, Split(side)) for side in ("train", "test"))
    offsets = solved(train, ratings)
    n_train = train.frame["prompt_id"].n_unique()
    assert offsets.provenance["solved_on"]["n_prompts"] == n_train
    assert offsets.provenance["solved_on"]["split"] == {"side": "train", "fraction": 0.5, "seed": 0}
    store.save(apply_offsets(scores, offsets), tmp_path / "calibrated.parquet")
    calibrated = store.load(Scores, tmp_path / "calibrated.parquet")
    found = quiet_audit(calibrated, ratings)
    assert found.in_sample is not None
    assert (found.in_sample.prompts, found.in_sample.solved_on) == (200, n_train)
    assert f"{n_train} of the 200 prompts" in found.summary["in_sample"]
    assert found.to_json()["in_sample"]["solved_on"] == n_train
    assert quiet_audit(scores, ratings).in_sample is None
    assert quiet_audit(on_side(calibrated, Split("test")), ratings).in_sample is None
    assert "all of the" in str(quiet_audit(on_side(calibrated, Split("train")), ratings).in_sample)
    assert test.policies == scores.policies


def test_offsets_that_do_not_say_what_they_were_solved_on_may_be_in_sample() -> None:
    scores, ratings = arena(60, 3, seed=2)
    plain = Offsets(solved(scores, ratings).frame)
    assert "maybe in-sample" in str(in_sample(apply_offsets(scores, plain)))


def test_every_verb_says_in_sample_as_the_audit_does() -> None:
    scores, ratings = arena(80, 5, seed=1)
    calibrated = apply_offsets(scores, solved(scores, ratings))
    found = quiet_audit(calibrated, ratings)
    sentence = str(found.in_sample)
    assert sentence.startswith("in-sample: all of the 80 prompts")
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        compared = compare_favour(scores, calibrated, ratings, draws=0).warnings
        moved = influence(calibrated, ratings, top=1).warnings
        alone = alignment_with_ratings(calibrated, ratings, draws=0).warnings
        beside = alignment_with_ratings(calibrated, ratings, baseline=scores, draws=0).warnings
        before = alignment_with_ratings(scores, ratings, baseline=calibrated, draws=0).warnings
        plain = alignment_with_ratings(scores, ratings, draws=0).warnings
    assert f"second: {sentence}" in compared
    assert not any(w.startswith("first: ") for w in compared)
    assert sentence in moved
    assert sentence in alone
    assert f"scores: {sentence}" in beside
    assert f"baseline scores: {sentence}" in before
    assert not any("in-sample" in w for w in plain)


def test_held_out_prompts_are_not_in_sample_for_any_verb() -> None:
    scores, ratings = arena(120, 5, seed=1)
    calibrated = apply_offsets(scores, solved(on_side(scores, Split("train")), ratings))
    test = on_side(calibrated, Split("test"))
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        told = [
            *compare_favour(test, scores, ratings, draws=0).warnings,
            *influence(test, ratings, top=1).warnings,
            *alignment_with_ratings(test, ratings, baseline=on_side(scores, Split("test")), draws=0).warnings,
        ]
    assert not any("in-sample" in w for w in told)


def test_saved_win_rates_go_on_saying_in_sample(tmp_path: Path) -> None:
    """Through the file, and through the file of an audit of that file."""
    scores, ratings = arena(80, 5, seed=1)
    found = quiet_audit(apply_offsets(scores, solved(scores, ratings)), ratings)
    sentence = str(found.in_sample)
    for folder in (tmp_path / "first", tmp_path / "second"):
        folder.mkdir()
        save_audit(found, folder)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CharmWarning)
            found = audit(store.load(WinRates, folder / "win_rates.parquet"), ratings, draws=0)
        assert str(found.in_sample) == sentence
    plain = quiet_audit(scores, ratings)
    assert plain.in_sample is None
    assert in_sample(plain.win_rates) is None


def test_scores_of_an_anchored_model_are_in_sample_where_it_was_anchored() -> None:
    scores, ratings = arena(80, 5, seed=1)
    train, test = (on_side(scores, Split(side)) for side in ("train", "test"))
    record = solved_on(train, train.policies)
    anchored = replace(scores, provenance={"anchored_on": [record]})
    found = in_sample(anchored)
    assert found is not None
    assert (found.solved_on, found.by) == (train.frame["prompt_id"].n_unique(), "anchor")
    assert "this reward model was anchored on" in str(found)
    assert in_sample(replace(test, provenance=anchored.provenance)) is None
    told = quiet_audit(anchored, ratings)
    assert str(told.in_sample) == str(found)
    assert str(in_sample(told.win_rates)) == str(found)
    # Others than the policies that it was anchored on are another matter.
    nobody = {**record, "policies": ["somebody else"]}
    assert in_sample(replace(scores, provenance={"anchored_on": [nobody]})) is None
