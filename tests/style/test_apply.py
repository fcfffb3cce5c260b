"""Adding a calibrator's correction: identities, who is refused, and what the scores keep of it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm import store
from charm_rm.errors import CharmWarning, ConfigError, NoOverlap, SchemaError
from charm_rm.features import measure_features
from charm_rm.offsets import apply_offsets, solve_joint_offsets
from charm_rm.solved_on import carried, in_sample, solved_on
from charm_rm.style import Calibrator, FeatureWeight, apply_calibrator, load_calibrator, save_calibrator
from charm_rm.style.apply import measure_for
from charm_rm.tables import Margins, Responses, Scores
from charm_rm.text_hash import text_hashes
from style_worlds import margins_of, world

TEXTS = ("", "Yes.", "**Bold** and **bold**", "# Head\n- a\n- b", "Wow! " * 9, "word " * 40)


def calibrator(
    *weights: tuple[str, float], unit: Any = "score", offsets: dict[str, float] | None = None, **more: Any
) -> Calibrator:
    """One of given weights; centres and scales are of no particular texts."""
    from charm_rm.features import FEATURES

    features = tuple(
        FeatureWeight(name, FEATURES[name].version if name in FEATURES else "column", 0.5, 2.0, weight)
        for name, weight in weights
    )
    numbers = {"spread": 1.0, "temperature": 1.0, "fit_temperature": 1.0, "penalty": 1e-3, "kept": 0.9}
    return Calibrator(unit, features, **numbers, offsets=offsets or {}, **more)  # type: ignore[arg-type]


def table(texts: dict[str, list[str]]) -> Responses:
    """Responses of each policy to as many prompts."""
    rows = [(f"p{i}", "Why?", name, text) for name, some in texts.items() for i, text in enumerate(some)]
    return Responses(pl.DataFrame(rows, schema=["prompt_id", "prompt", "policy", "response"], orient="row"))


def scored(responses: Responses, value: Callable[[int], float] = float) -> Scores:
    frame = responses.frame.select("prompt_id", "policy")
    return Scores(frame.with_columns(score=pl.Series([value(i) for i in range(frame.height)])))


ANY = st.lists(st.sampled_from(TEXTS), min_size=3, max_size=3)
WEIGHTS = st.lists(st.tuples(st.sampled_from(["words", "bold", "headers"]), st.floats(-5, 5)), min_size=1, max_size=3,
                   unique_by=lambda pair: pair[0])  # fmt: skip


@given(st.fixed_dictionaries({"a": ANY, "b": ANY, "never rated": ANY}), WEIGHTS)
def test_applied_then_taken_off_again_is_what_it_was(texts: dict[str, list[str]], weights: list[Any]) -> None:
    """s' - s is w·φ by hand, whoever the policy is; and the calibrator of -w takes it off again."""
    responses = table(texts)
    scores = scored(responses)
    one = calibrator(*weights, offsets={"a": 0.25})
    moved = apply_calibrator(scores, one, responses)
    features = measure_features(responses, features=[n for n, _ in weights]).values
    added = np.clip((features - 0.5) / 2.0, -4, 4) @ [w for _, w in weights]
    added += 0.25 * (scores.frame["policy"] == "a").to_numpy()
    assert moved.frame["score"].to_numpy() - scores.frame["score"].to_numpy() == pytest.approx(added)
    back = calibrator(*[(n, -w) for n, w in weights], offsets={"a": -0.25})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)  # the first is in there
        again = apply_calibrator(moved, back, responses) if any(w for _, w in weights) else scores
    assert again.frame["score"].to_numpy() == pytest.approx(scores.frame["score"].to_numpy())


@given(st.fixed_dictionaries({"a": ANY, "b": ANY, "c": ANY}), WEIGHTS)
def test_margins_of_moved_scores_are_moved_margins(texts: dict[str, list[str]], weights: list[Any]) -> None:
    """Scores -> margins and calibration commute; a pair turned round has the margin turned round."""
    responses = table(texts)
    scores = scored(responses, lambda i: float(i % 5))
    by_score, by_margin = (calibrator(*weights, unit=u, offsets={"b": 1.0}) for u in ("score", "log-odds"))
    key = ["prompt_id", "policy", "reference"]
    first = margins_of(Scores(apply_calibrator(scores, by_score, responses).frame)).frame.sort(key)
    margins = margins_of(scores)
    second = apply_calibrator(margins, by_margin, responses).frame.sort(key)
    assert second["margin"].to_numpy() == pytest.approx(first["margin"].to_numpy())
    turned = Margins(
        margins.frame.select(
            "prompt_id",
            pl.col("reference").alias("policy"),
            pl.col("policy").alias("reference"),
            -pl.col("margin"),
        )
    )
    third = apply_calibrator(turned, by_margin, responses).frame
    assert third["margin"].to_numpy() == pytest.approx(
        -apply_calibrator(margins, by_margin, responses).frame["margin"].to_numpy()
    )


def test_rows_keep_their_order_and_their_other_columns() -> None:
    responses = table({"b": ["x", "**y**"], "a": ["z", "z"]})
    scores = Scores(scored(responses).frame.with_columns(n_tokens=pl.lit(3)))
    shuffled = Responses(responses.frame.reverse())
    moved = apply_calibrator(scores, calibrator(("bold", 1.0)), shuffled)
    assert moved.frame.drop("score").equals(scores.frame.drop("score"))
    assert (
        moved.frame["score"].to_list()
        == apply_calibrator(scores, calibrator(("bold", 1.0)), responses).frame["score"].to_list()
    )


def test_judgements_lose_what_the_judge_said_in_each_order() -> None:
    responses = table({"a": ["x"], "b": ["**y**"]})
    frame = pl.DataFrame(
        {
            "prompt_id": ["p0"],
            "policy": ["a"],
            "reference": ["b"],
            "margin": [0.5],
            "p_first": [0.6],
            "p_second": [0.6],
        }
    )
    moved = apply_calibrator(Margins(frame), calibrator(("bold", 2.0), unit="log-odds"), responses)
    assert moved.frame.columns == ["prompt_id", "policy", "reference", "margin"]
    assert moved.frame["margin"].to_list() == pytest.approx([0.5 - np.log(2.0)])


# --- refused ------------------------------------------------------------------------------------


def test_the_other_unit_is_refused() -> None:
    responses = table({"a": ["x"], "b": ["y"]})
    with pytest.raises(ConfigError, match="in log-odds units; these are scores"):
        apply_calibrator(scored(responses), calibrator(("bold", 1.0), unit="log-odds"), responses)
    with pytest.raises(ConfigError, match="in score units; these are margins"):
        apply_calibrator(margins_of(scored(responses)), calibrator(("bold", 1.0)), responses)


def test_rows_without_a_response_are_counted_and_the_first_is_named() -> None:
    responses = table({"a": ["x", "y"], "b": ["x", "y"]})
    some = Responses(responses.frame.filter(pl.col("policy") == "a"))
    with pytest.raises(
        NoOverlap, match=r"2 of 4 responses of the scores .* first of policy 'b', prompt 'p0'"
    ):
        apply_calibrator(scored(responses), calibrator(("bold", 1.0)), some)
    with pytest.raises(ConfigError, match="none are given"):
        apply_calibrator(scored(responses), calibrator(("bold", 1.0)))


def test_texts_that_were_not_scored_are_refused() -> None:
    responses = table({"a": ["x", "y"], "b": ["x", "y"]})
    scores = scored(responses)
    kept = Scores(scores.frame.with_columns(text_hashes(responses)))
    one = calibrator(("bold", 1.0))
    assert apply_calibrator(kept, one, responses).frame["text_hash"].equals(kept.frame["text_hash"])
    changed = Responses(responses.frame.with_columns(response=pl.col("response").replace("y", "**y**")))
    with pytest.raises(SchemaError, match=r"2 responses of 4 are other texts .* policy 'a', prompt 'p1'"):
        apply_calibrator(kept, one, changed)
    other_prompt = Responses(responses.frame.with_columns(prompt=pl.lit("What?")))
    with pytest.raises(SchemaError, match="4 responses of 4"):
        apply_calibrator(kept, one, other_prompt)
    apply_calibrator(scores, one, changed)  # scores that keep no hash are believed


def test_a_prompt_as_text_and_as_one_user_turn_is_the_same_text() -> None:
    responses = table({"a": ["x"], "b": ["y"]})
    turn = [{"role": "user", "content": "Why?"}]
    as_turns = Responses(responses.frame.with_columns(prompt=pl.Series([[*turn]] * 2)))
    assert text_hashes(as_turns).equals(text_hashes(responses))


def test_scores_of_another_model_are_refused_and_there_is_a_way_out() -> None:
    responses = table({"a": ["x"], "b": ["**y**"]})
    plain = scored(responses)
    ours, theirs = (Scores(plain.frame, {"rm": name, "rm_fingerprint": name}) for name in ("ours", "theirs"))
    one = calibrator(("bold", 1.0), provenance={"model": {"rm": "ours", "rm_fingerprint": "ours"}})
    with pytest.raises(
        ConfigError, match=r"another model \(theirs\) than the calibrator was solved for \(ours\)"
    ):
        apply_calibrator(theirs, one, responses)
    with pytest.warns(CharmWarning, match="another model"):
        apply_calibrator(theirs, one, responses, other_model=True)
    with pytest.warns(CharmWarning, match="these scores do not name a model"):
        apply_calibrator(plain, one, responses)
    with pytest.warns(CharmWarning, match="the calibrator does not name a model"):
        apply_calibrator(ours, calibrator(("bold", 1.0)), responses)
    apply_calibrator(ours, one, responses)
    apply_calibrator(plain, calibrator(("bold", 1.0)), responses)


def test_twice_is_refused_and_another_calibration_is_said() -> None:
    responses = table({"a": ["x"], "b": ["**y**"]})
    once = apply_calibrator(scored(responses), calibrator(("bold", 1.0)), responses)
    with pytest.raises(ConfigError, match="carry this style calibration already"):
        apply_calibrator(once, calibrator(("bold", 1.0)), responses)
    with pytest.warns(CharmWarning, match="other calibrations already"):
        apply_calibrator(once, calibrator(("words", 1.0)), responses)


def test_another_version_of_a_feature_is_refused() -> None:
    responses = table({"a": ["x"], "b": ["y"]})
    one = calibrator(("bold", 1.0))
    old = replace(one, features=(replace(one.features[0], version=0),))
    with pytest.raises(ConfigError, match="solved with version 0"):
        apply_calibrator(scored(responses), old, responses)


# --- features of one's own ----------------------------------------------------------------------


def test_a_column_of_the_responses_is_measured_there() -> None:
    responses = Responses(table({"a": ["x"], "b": ["y"]}).frame.with_columns(toxicity=pl.Series([0.5, 2.5])))
    one = calibrator(("column:toxicity", 3.0), ("bold", 1.0))
    moved = apply_calibrator(scored(responses, lambda _: 0.0), one, responses)
    assert moved.frame["score"].to_list() == pytest.approx([-0.25, 3.0 - 0.25])
    with pytest.raises(SchemaError, match="column 'toxicity' is missing"):
        apply_calibrator(scored(responses), one, table({"a": ["x"], "b": ["y"]}))


def test_a_function_runs_only_where_it_is_named_and_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "own_style_features.py"
    module.write_text(
        "def both(prompts, responses):\n    return [[len(r), 1.0 * i] for i, r in enumerate(responses)]\n"
    )
    monkeypatch.chdir(tmp_path)
    own = "python:own_style_features:both"
    responses = table({"a": ["xx"], "b": ["yyyy"]})
    version = measure_features(responses, features=[], own=[own]).provenance["own"][own]
    one = calibrator((f"{own}[0]", 1.0))
    one = replace(one, features=(replace(one.features[0], version=version),))
    scores = scored(responses, lambda _: 0.0)
    with pytest.raises(ConfigError, match="whose code would run here"):
        apply_calibrator(scores, one, responses)
    moved = apply_calibrator(scores, one, responses, own=[own])
    assert moved.frame["score"].to_list() == pytest.approx([0.75, 1.75])
    changed = replace(one, features=(replace(one.features[0], version="0" * 8),))
    with pytest.raises(ConfigError, match="has changed since"):
        apply_calibrator(scores, changed, responses, own=[own])
    gone = replace(one, features=(replace(one.features[0], name=f"{own}[7]"),))
    with pytest.raises(ConfigError, match=r"no longer answers with .*\[7\]"):
        measure_for(gone, responses, own=[own])


# --- in-sample ----------------------------------------------------------------------------------


def test_in_sample_is_the_very_prompts_and_policies() -> None:
    found = world()
    some = Scores(found.scores.frame.filter(pl.col("policy").is_in(["oak", "heron", "reed"])))
    one = calibrator(("bold", -1.0), solved_on=solved_on(some, some.policies))
    moved = apply_calibrator(found.scores, one, found.responses)
    said = in_sample(moved)
    assert said is not None
    assert (said.by, said.solved_on, said.policies) == ("style", 60, ("heron", "oak", "reed"))
    assert "the style calibration in these scores was solved on" in str(said)
    others = Scores(moved.frame.filter(pl.col("policy").is_in(["velvet", "satin"])), moved.provenance)
    assert in_sample(others) is None
    elsewhere = Scores(
        moved.frame.with_columns(prompt_id=pl.lit("new-") + pl.col("prompt_id")), moved.provenance
    )
    assert in_sample(elsewhere) is None


def test_offsets_and_style_in_the_same_scores_are_both_kept() -> None:
    found = world()
    offsets = solve_joint_offsets(found.scores, found.ratings, draws=0)
    with pytest.warns(CharmWarning, match="other calibrations"):
        both = apply_calibrator(
            apply_offsets(found.scores, offsets),
            calibrator(("bold", -1.0), offsets={"oak": 2.0}),
            found.responses,
        )
    assert [one.by for one in carried(both)] == ["offsets", "style"]
    delta = dict(zip(offsets.frame["policy"], offsets.frame["delta"], strict=True))
    assert both.provenance["calibrated"]["oak"] == pytest.approx(delta["oak"] + 2.0)
    said = in_sample(both)
    assert said is not None
    assert (said.by, said.solved_on) == ("offsets", 60)  # what is known goes before what style does not say


def test_the_file_keeps_it(tmp_path: Path) -> None:
    found = world()
    one = calibrator(("bold", -1.0), solved_on=solved_on(found.scores, found.scores.policies))
    save_calibrator(one, tmp_path / "c.json")
    read = load_calibrator(tmp_path / "c.json")
    assert read.fingerprint == one.fingerprint
    store.save(apply_calibrator(found.scores, read, found.responses), tmp_path / "s.parquet")
    again = store.load(Scores, tmp_path / "s.parquet")
    with pytest.raises(ConfigError, match="already"):
        apply_calibrator(again, one, found.responses)
    assert json.loads((tmp_path / "c.json").read_text())["format"] == "charm-calibrator"
