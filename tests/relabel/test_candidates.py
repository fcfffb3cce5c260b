"""Labels of judged pairs: parity with scores, what a judge cannot be asked, what is left out."""

from __future__ import annotations

import warnings
from typing import Any

import polars as pl
import pytest

from charm_rm.errors import CharmWarning, ConfigError, NoOverlap, UnknownPolicy
from charm_rm.margins import margins_from_scores
from charm_rm.relabel import Relabelled, relabel_preferences
from charm_rm.tables import Margins, Offsets, Responses, Scores
from simulated_offsets import arena


def responses_of(scores: Scores) -> Responses:
    asked = pl.concat_str(pl.lit("Say "), "prompt_id").alias("prompt")
    said = pl.concat_str("policy", "prompt_id").alias("response")
    return Responses(scores.frame.select("prompt_id", "policy", asked, said))


def offsets_of(deltas: dict[str, float], references: str, **provenance: str) -> Offsets:
    columns = ("std_err", "ci_low", "ci_high", "target", "attained")
    frame = pl.DataFrame({"policy": list(deltas), "delta": list(deltas.values())}).with_columns(
        pl.col("policy").is_in(list(references)).alias("is_reference"),
        *[pl.lit(None, dtype=pl.Float64).alias(c) for c in columns],
    )
    return Offsets(frame, provenance=provenance)


def quietly(source: Scores | Margins, responses: Responses, offsets: Offsets, **how: Any) -> Relabelled:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        return relabel_preferences(source, responses, offsets, **how)


@pytest.fixture(scope="module")
def scores() -> Scores:
    return arena(40, 4, seed=4, missing=0.2)[0]


OFFSETS = offsets_of({"A": -0.7, "B": 0.0, "C": 0.4, "D": 0.0}, references="BD")


@pytest.mark.parametrize("strategy", ["pair", "all-pairs"])
@pytest.mark.parametrize(
    "how", [{}, {"policies": ["A", "B", "C"]}, {"prompts": [f"p{i:04d}" for i in range(0, 40, 2)]}]
)
def test_judged_pairs_are_labelled_as_their_scores_are(scores: Scores, strategy: str, how: dict) -> None:
    margins, responses = margins_from_scores(scores), responses_of(scores)
    one, other = (quietly(x, responses, OFFSETS, strategy=strategy, **how) for x in (scores, margins))
    order = ["prompt_id", "chosen_policy", "rejected_policy"]
    first, second = (f.preferences.frame.sort(order) for f in (one, other))
    assert first.drop("margin", "p_chosen").equals(second.drop("margin", "p_chosen"))
    assert (first["margin"] - second["margin"]).abs().max() < 1e-12
    key = ["policy", "reference"]
    assert one.ledger.sort(key).equals(other.ledger.sort(key))
    assert other.ledger["flipped"].sum() > 0


def test_only_what_was_judged_is_labelled(scores: Scores) -> None:
    margins = margins_from_scores(scores)
    some = Margins(margins.frame.filter((pl.col("policy") == "A") & (pl.col("reference") == "B"))[:7])
    found = quietly(some, responses_of(scores), OFFSETS)
    assert found.ledger.select("policy", "reference", "pairs").rows() == [("A", "B", 7)]


@pytest.mark.parametrize("strategy", ["best-vs-worst", "sampled"])
def test_a_judge_compares_given_pairs_alone(scores: Scores, strategy: str) -> None:
    with pytest.raises(ConfigError, match="needs a score for every response"):
        quietly(margins_from_scores(scores), responses_of(scores), OFFSETS, strategy=strategy)


def test_what_does_not_fit_is_named(scores: Scores) -> None:
    margins, responses = margins_from_scores(scores), responses_of(scores)
    with pytest.raises(ConfigError, match="score units"):
        quietly(margins, responses, offsets_of({"A": 1, "B": 0}, "B", unit="score", source="scores"))
    with pytest.raises(UnknownPolicy, match="'E' has no judgements"):
        quietly(margins, responses, OFFSETS, policies=["A", "E"])
    with pytest.raises(NoOverlap):
        quietly(margins, responses, OFFSETS, policies=["A", "C"])
    with pytest.raises(NoOverlap):
        quietly(margins, responses, OFFSETS, prompts=["none"])
    with pytest.raises(ConfigError, match="no reference policy"):
        quietly(margins, responses, offsets_of({"A": 1, "B": 0}, ""))


def test_judgements_without_a_response_are_counted(scores: Scores) -> None:
    half = Responses(responses_of(scores).frame.filter(pl.col("policy") != "B"))
    with pytest.warns(CharmWarning, match=r"\d+ of \d+ margins have no response"):
        relabel_preferences(margins_from_scores(scores), half, OFFSETS)
