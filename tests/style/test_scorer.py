"""A calibrated model: what it says is what it said plus the calibrator's adjustment, asked for once; others' calibrators are refused."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrator_fakes import WEIGHTS, CountingJudge, CountingScorer, a_calibrator
from charm_rm.errors import CharmWarning, ConfigError, SchemaError
from charm_rm.features import measure
from charm_rm.judging import plan_pairs, run_judge
from charm_rm.judging.averaging import PREFERENCE_BOUND
from charm_rm.margins import margins_from_scores
from charm_rm.memo import Memo
from charm_rm.models import score_responses, score_texts
from charm_rm.protocols import PairwisePreference, ScalarReward
from charm_rm.solved_on import in_sample, solved_on
from charm_rm.style import apply_calibrator, calibrated, calibrator_doubts, save_calibrator, uncalibrated
from charm_rm.style import scorer as module
from charm_rm.tables import Responses, Scores

TEXTS = ["Short.", "**Bold** words\n\n- one\n- two", "", "many " * 300, "naïve 你好 **x**"]
PROMPTS = ["Why?"] * len(TEXTS)
texts = st.lists(st.text(alphabet="ab *-#\n", max_size=40), min_size=1, max_size=12)


def some_responses() -> Responses:
    said = {"k": "k {}", "l": "**l** says more: {}"}
    rows = [
        (f"q{i}", "Why?", k, form.format(text)) for i, text in enumerate(TEXTS) for k, form in said.items()
    ]
    return Responses(pl.DataFrame(rows, schema=["prompt_id", "prompt", "policy", "response"], orient="row"))


# --- what it says -------------------------------------------------------------------------------


@given(texts)
def test_a_calibrated_score_is_the_score_plus_the_weights_times_the_features(responses: list[str]) -> None:
    scorer = CountingScorer()
    prompts = ["Why?"] * len(responses)
    found = calibrated(scorer, a_calibrator(scorer))(prompts, responses)
    raw = measure(prompts, responses, features=list(WEIGHTS))
    by_hand = [
        float(s)
        + sum(w * max(-4.0, min(4.0, (x - 0.5) / 0.8)) for w, x in zip(WEIGHTS.values(), row, strict=True))
        for s, row in zip(scorer(prompts, responses), raw.tolist(), strict=True)
    ]
    assert found == pytest.approx(by_hand, abs=1e-12)


@given(texts)
def test_weights_of_zero_change_nothing(responses: list[str]) -> None:
    scorer, prompts = CountingScorer(), ["Why?"] * len(responses)
    for weights in ({}, dict.fromkeys(WEIGHTS, 0.0)):
        same = calibrated(scorer, a_calibrator(scorer, weights=weights))
        assert same(prompts, responses).tolist() == scorer(prompts, responses).tolist()


def test_it_is_a_scorer_with_a_name_and_a_fingerprint_of_both() -> None:
    scorer = CountingScorer()
    one = calibrated(scorer, a_calibrator(scorer))
    other = calibrated(scorer, a_calibrator(scorer, weights={"words": -0.41}))
    again = calibrated(CountingScorer(), a_calibrator(scorer))
    assert isinstance(one, ScalarReward)
    assert one.source == "counting, calibrated"
    assert one.fingerprint == again.fingerprint
    assert len({scorer.fingerprint, one.fingerprint, other.fingerprint}) == 3
    moved = replace(scorer, fingerprint="counting-2")
    assert calibrated(moved, a_calibrator(moved)).fingerprint != one.fingerprint


def test_scores_of_a_table_are_those_that_the_calibrator_gives_a_table_of_scores() -> None:
    scorer, responses = CountingScorer(), some_responses()
    known = a_calibrator(scorer, solved_on=solved_on(score_responses(scorer, responses), ["k", "l"]))
    found = score_responses(calibrated(scorer, known), responses, progress=False)
    by_table = apply_calibrator(score_responses(scorer, responses, progress=False), known, responses)
    assert found.frame.equals(by_table.frame)
    assert dict(found.provenance) == dict(by_table.provenance)
    called = calibrated(scorer, known)(
        responses.frame["prompt"].to_list(), responses.frame["response"].to_list()
    )
    assert found.frame["score"].to_list() == pytest.approx(called.tolist(), abs=1e-12)


def test_calibrated_scores_are_not_calibrated_twice_and_say_in_sample() -> None:
    scorer, responses = CountingScorer(), some_responses()
    known = a_calibrator(scorer, solved_on=solved_on(score_responses(scorer, responses), ["k", "l"]))
    found = score_responses(calibrated(scorer, known), responses, progress=False)
    with pytest.raises(ConfigError, match="already"):
        apply_calibrator(found, known, responses)
    said = in_sample(found)
    assert said is not None
    assert (said.solved_on, said.policies) == (len(TEXTS), ("k", "l"))


def test_nothing_is_scored_twice_when_the_calibrator_changes(tmp_path: Path) -> None:
    scorer, memo = CountingScorer(), tmp_path / "memo.sqlite"
    score_texts(scorer, PROMPTS, TEXTS, memo=memo, progress=False)
    assert sum(scorer.asked) == len(TEXTS)
    for weight in (0.1, 0.2):
        model = calibrated(scorer, a_calibrator(scorer, weights={"bold": weight}))
        found = score_texts(model, PROMPTS, TEXTS, memo=memo, progress=False)
        assert found.values.tolist() == model(PROMPTS, TEXTS).tolist()
        scorer.asked.pop()
    assert sum(scorer.asked) == len(TEXTS)
    score_texts(scorer, PROMPTS, TEXTS, memo=memo, progress=False)
    assert sum(scorer.asked) == len(TEXTS)


def test_an_error_of_the_model_is_the_models() -> None:
    class Broken(CountingScorer):
        def __call__(self, prompts: object, responses: object) -> np.ndarray:
            raise RuntimeError("out of order")

    with pytest.raises(RuntimeError, match="out of order"):
        calibrated(Broken(), a_calibrator(Broken()))(PROMPTS, TEXTS)


# --- judges -------------------------------------------------------------------------------------


@given(texts)
def test_a_calibrated_judge_moves_by_the_difference_in_log_odds(responses: list[str]) -> None:
    judge = CountingJudge()
    found = calibrated(judge, a_calibrator(judge, unit="log-odds"))
    prompts, others = ["Why?"] * len(responses), responses[::-1]
    p, q = judge(prompts, responses, others), found(prompts, responses, others)
    added = a_calibrator().adjust_texts(prompts, responses) - a_calibrator().adjust_texts(prompts, others)
    assert isinstance(found, PairwisePreference)
    assert np.log(q / (1 - q)) == pytest.approx(np.log(p / (1 - p)) + added, abs=1e-9)
    assert ((q > 0) & (q < 1)).all()


def test_no_verdict_stays_none_and_a_plain_yes_stays_near_one() -> None:
    class Plain(CountingJudge):
        def __call__(self, prompts: object, first: object, second: object) -> np.ndarray:
            return np.array([math.nan, 1.0, 0.0])

    found = calibrated(Plain(), a_calibrator(Plain(), unit="log-odds"))(["?"] * 3, ["a"] * 3, ["a"] * 3)
    assert math.isnan(found[0])
    assert found[1:] == pytest.approx([1 - PREFERENCE_BOUND, PREFERENCE_BOUND], rel=1e-6)
    assert module.PREFERENCE_BOUND == PREFERENCE_BOUND


def test_a_calibrated_judges_margins_are_the_judges_moved_and_nothing_is_asked_twice(tmp_path: Path) -> None:
    judge, responses = CountingJudge(), some_responses()
    pairs = plan_pairs(responses, "all", 0)
    known = a_calibrator(judge, unit="log-odds")
    with Memo.open(tmp_path / "memo.sqlite") as memo:
        plain = run_judge(judge, responses, pairs, memo=memo, progress=False)
        asked = sum(judge.asked)
        moved = run_judge(calibrated(judge, known), responses, pairs, memo=memo, progress=False)
    assert sum(judge.asked) == asked > 0
    assert moved.asked == 0
    assert moved.margins.frame.equals(apply_calibrator(plain.margins, known, responses).frame)
    assert not moved.margins.frame["margin"].equals(plain.margins.frame["margin"])


# --- what is refused ----------------------------------------------------------------------------


def test_a_calibrator_of_another_model_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"solved on 'counting', another model than 'mine'"):
        calibrated(CountingScorer("mine", "other"), a_calibrator(CountingScorer()))


@pytest.mark.parametrize("model", [None, {}, {"rm": "counting"}, {"rm_fingerprint": 7}, "counting"])
def test_a_calibrator_of_an_unknown_model_is_taken_with_a_warning(model: object) -> None:
    unknown = a_calibrator(provenance={"model": model})
    with pytest.warns(CharmWarning, match="does not say which model"):
        calibrated(CountingScorer(), unknown)


def test_units_must_be_those_of_the_model() -> None:
    with pytest.raises(ConfigError, match="in log-odds units, and counting is a reward model"):
        calibrated(CountingScorer(), a_calibrator(unit="log-odds"))
    with pytest.raises(ConfigError, match="in score units, and counting-judge is a judge"):
        calibrated(CountingJudge(), a_calibrator())


def test_a_calibrated_model_is_not_calibrated_again() -> None:
    scorer = CountingScorer()
    once = calibrated(scorer, a_calibrator(scorer))
    with pytest.raises(ConfigError, match="calibrated already"):
        calibrated(once, a_calibrator(once))
    assert uncalibrated(once) == (scorer, once.calibrator)
    assert uncalibrated(scorer) == (scorer, None)


@pytest.mark.parametrize(
    ("name", "version", "words"),
    [
        ("words", 99, "version 1 here"),
        ("unheard_of", 1, "not known"),
        ("column:toxicity", "column", "not measured from texts"),
        ("python:my:function", "ab12", "not measured from texts"),
    ],
)
def test_features_that_texts_do_not_give_are_refused(name: str, version: int | str, words: str) -> None:
    scorer = CountingScorer()
    with pytest.raises(ConfigError, match=words):
        calibrated(scorer, a_calibrator(scorer, weights={name: 1.0}, versions={name: version}))


def test_offsets_of_rated_policies_are_left_out_and_said() -> None:
    scorer, responses = CountingScorer(), some_responses()
    known = a_calibrator(scorer, offsets={"k": 5.0})
    with pytest.warns(CharmWarning, match="offsets of 1 rated policies"):
        found = calibrated(scorer, known)
    assert len(calibrator_doubts(scorer, known)) == 1
    plain = score_responses(calibrated(scorer, replace(known, offsets={})), responses, progress=False)
    assert score_responses(found, responses, progress=False).frame.equals(plain.frame)


def test_texts_that_are_none_are_refused() -> None:
    scorer = CountingScorer()
    scorer_of_anything = calibrated(scorer, a_calibrator(scorer))
    with pytest.raises((SchemaError, TypeError)):
        scorer_of_anything(["Why?"], [None])  # type: ignore[list-item]


def test_a_calibrated_score_leads_to_calibrated_margins() -> None:
    """Margins of calibrated scores are the margins moved by the difference: scores and log-odds go the same way."""
    scorer, responses = CountingScorer(), some_responses()
    scores = score_responses(scorer, responses, progress=False)
    moved = score_responses(calibrated(scorer, a_calibrator(scorer)), responses, progress=False)
    added = moved.frame["score"] - scores.frame["score"]
    difference = Scores(scores.frame.select("prompt_id", "policy").with_columns(score=added))
    margins = [margins_from_scores(s, references=["l"]).frame["margin"] for s in (scores, moved, difference)]
    assert (margins[0] + margins[2]).to_list() == pytest.approx(margins[1].to_list(), abs=1e-12)


def test_its_file_goes_wherever_a_model_is_opened(tmp_path: Path) -> None:
    from charm_rm.specs import load_judge, load_scorer

    path = save_calibrator(a_calibrator(), tmp_path / "calibrator.json")
    with pytest.warns(CharmWarning, match="does not say which model"):
        scorer = load_scorer("python:calibrator_fakes:lengths", calibrator=path)
    assert scorer.source.endswith("lengths, calibrated")
    assert scorer(["Why?"], ["a b"])[0] == pytest.approx(
        3 + a_calibrator().adjust_texts(["Why?"], ["a b"])[0]
    )
    with pytest.raises(ConfigError, match="is a judge"):
        load_judge("python:calibrator_fakes:preferences", calibrator=path)
    with pytest.raises(SchemaError):
        load_scorer("python:calibrator_fakes:lengths", calibrator=_empty(tmp_path / "empty.json"))


def _empty(path: Path) -> Path:
    path.write_text("{}", encoding="utf-8")
    return path
