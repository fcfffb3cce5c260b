"""Labels by a style calibrator: the calibrated scores' order, the temperature of people, and scores that carry it already."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.special import expit

from charm_rm.errors import CharmWarning, ConfigError
from charm_rm.relabel import relabel_preferences, save_relabelled
from charm_rm.style import Calibrator, FeatureWeight, apply_calibrator
from charm_rm.tables import Responses, Scores
from style_worlds import margins_of, world

CALIBRATOR = Calibrator(
    "score", (FeatureWeight("bold", 1, 0.3, 0.5, -0.8), FeatureWeight("words", 1, 2.4, 0.5, -0.2)),
    spread=1.0, temperature=0.6, fit_temperature=1.4, penalty=1e-3, kept=0.8, offsets={"oak": 0.1},
)  # fmt: skip


def test_labels_are_those_of_the_calibrated_scores() -> None:
    found = world()
    made = relabel_preferences(found.scores, found.responses, CALIBRATOR, strategy="all-pairs")
    frame = made.preferences.frame
    moved = apply_calibrator(found.scores, CALIBRATOR, found.responses).frame
    score = {(i, p): s for i, p, s in moved.select("prompt_id", "policy", "score").iter_rows()}
    raw = {(i, p): s for i, p, s in found.scores.frame.select("prompt_id", "policy", "score").iter_rows()}
    key = frame.select("prompt_id", "chosen_policy", "rejected_policy").rows()
    margin = np.array([score[i, a] - score[i, b] for i, a, b in key])
    assert (margin > 0).all()
    assert frame["margin"].to_numpy() == pytest.approx(margin)
    assert frame["p_chosen"].to_numpy() == pytest.approx(expit(margin / 0.6))
    assert frame["flipped"].to_list() == [raw[i, a] < raw[i, b] for i, a, b in key]
    assert made.ledger["flipped"].sum() > 0


@pytest.mark.parametrize("strategy", ["all-pairs", "sampled", "best-vs-worst"])
def test_scores_with_the_correction_in_them_go_straight_in(strategy: str) -> None:
    """As before ``charm apply``, flips counted against the scores before."""
    found = world()
    moved = apply_calibrator(found.scores, CALIBRATOR, found.responses)
    one, other = (
        relabel_preferences(source, found.responses, CALIBRATOR, strategy=strategy) for source in (found.scores, moved)
    )  # fmt: skip
    key = ["prompt_id", "chosen_policy", "rejected_policy", "flipped"]
    assert one.preferences.frame.select(key).equals(other.preferences.frame.select(key))
    assert one.ledger.equals(other.ledger)


def test_judgements_by_style() -> None:
    found = world()
    judged = margins_of(found.scores)
    calibrator = replace(CALIBRATOR, unit="log-odds")
    by_score = relabel_preferences(found.scores, found.responses, CALIBRATOR, strategy="all-pairs")
    by_margin = relabel_preferences(judged, found.responses, calibrator, strategy="all-pairs")
    carried = apply_calibrator(judged, calibrator, found.responses)
    again = relabel_preferences(carried, found.responses, calibrator, strategy="all-pairs")
    key = ["prompt_id", "chosen_policy", "rejected_policy", "flipped"]
    frames = [made.preferences.frame.select(key).sort(key) for made in (by_score, by_margin, again)]
    assert frames[0].equals(frames[1])
    assert frames[0].equals(frames[2])


def test_the_temperature_given_goes_before_that_of_the_calibrator_and_the_card_says_whose(
    tmp_path: Path,
) -> None:
    found = world()
    ours = relabel_preferences(found.scores, found.responses, CALIBRATOR, strategy="sampled")
    given = relabel_preferences(
        found.scores, found.responses, CALIBRATOR, strategy="sampled", temperature=2.0
    )
    assert (ours.preferences.provenance["temperature"], given.preferences.provenance["temperature"]) == (
        0.6,
        2.0,
    )
    save_relabelled(ours, tmp_path / "ours")
    assert (
        "the probability that people prefer the chosen response"
        in (tmp_path / "ours" / "README.md").read_text()
    )
    save_relabelled(given, tmp_path / "given")
    assert "soft label, sigmoid(margin / 2)" in (tmp_path / "given" / "README.md").read_text()


def test_what_is_refused_and_what_is_left_out() -> None:
    found = world()
    with pytest.raises(ConfigError, match="no reference policy"):
        relabel_preferences(found.scores, found.responses, CALIBRATOR)
    with pytest.raises(ConfigError, match="in log-odds units"):
        relabel_preferences(
            found.scores, found.responses, replace(CALIBRATOR, unit="log-odds"), strategy="sampled"
        )
    some = Responses(found.responses.frame.filter(pl.col("policy") != "oak"))
    with pytest.warns(CharmWarning, match="60 of 720 scores have no response"):
        made = relabel_preferences(found.scores, some, CALIBRATOR, strategy="all-pairs")
    assert "oak" not in made.preferences.frame["chosen_policy"].to_list()
    other = Scores(found.scores.frame, {"rm_fingerprint": "x"})
    with pytest.raises(ConfigError, match="another model"):
        theirs = replace(CALIBRATOR, provenance={"model": {"rm_fingerprint": "y"}})
        relabel_preferences(other, found.responses, theirs, strategy="sampled")
