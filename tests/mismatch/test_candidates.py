"""Candidates: a policy without a rating beside rated ones. Identities, a jackknife as oracle, every kind of source, bad input."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charm_rm.errors import CharmWarning, ConfigError, NoOverlap, UnknownPolicy
from charm_rm.margins import margins_from_scores, pair_margins, tally_margins
from charm_rm.mismatch import audit, place_candidates, save_audit
from charm_rm.mismatch.candidates import place
from charm_rm.mismatch.held import hold_against
from charm_rm.statistics import ELO_PER_LOGIT, sigmoid
from charm_rm.store import load
from charm_rm.tables import Candidates, Ratings, Scores

RATING = {"ace": 1300.0, "base": 1200.0, "calm": 1150.0, "dull": 1050.0, "eager": 1000.0}
OWN = "mine"


def ratings(std_err: float = 5.0, **more: float) -> Ratings:
    table = RATING | more
    return Ratings(pl.DataFrame({"policy": list(table), "rating": list(table.values()), "std_err": std_err}))


def scores(
    level: float = 1180.0, *, n: int = 300, sharpness: float = 1.5, seed: int = 0, own: str = OWN
) -> Scores:
    """Gumbel scores, so that win rates are Bradley-Terry; the candidate's strength is that of a rating of ``level``."""
    rng = np.random.default_rng(seed)
    parts = [
        pl.DataFrame(
            {
                "prompt_id": [f"p{i}" for i in range(n)],
                "policy": name,
                "score": sharpness * rating / ELO_PER_LOGIT + rng.gumbel(size=n),
            }
        )
        for name, rating in (RATING | {own: level}).items()
    ]
    return Scores(pl.concat(parts))


def row(found: Candidates, name: str = OWN) -> dict[str, Any]:
    return found.frame.row(by_predicate=pl.col("policy") == name, named=True)


def test_a_candidate_like_the_average_policy_is_placed_at_its_rating() -> None:
    found = row(place_candidates(scores(1180.0, n=3000), ratings(), [OWN]))
    assert found["ci_low"] < 1180 < found["ci_high"]
    assert found["implied_elo"] == pytest.approx(1180, abs=15)
    assert found["predicted_low"] < found["ci_low"] < found["ci_high"] < found["predicted_high"]
    assert found["n"] == 3000
    assert "style_favour" not in found  # never a favour from nothing


def test_the_strength_solves_the_equation_of_total_wins() -> None:
    table = scores()
    rated = Scores(table.frame.filter(pl.col("policy") != OWN))
    held = hold_against(rated, ratings())
    found = place(held, table, OWN, outcome="hard", temperature=1.0)
    values = {k: table.frame.filter(policy=k)["score"].to_numpy() for k in (*RATING, OWN)}
    gap = sum(
        (values[OWN] > values[k]).mean() - float(sigmoid(found.theta - held.strengths.theta[j]))
        for j, k in enumerate(held.policies)
    )
    assert gap == pytest.approx(0, abs=1e-9)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(sorted(RATING)), st.integers(0, 5), st.booleans())
def test_the_same_scores_as_a_rated_policy_are_the_same_strength(twin: str, seed: int, judged: bool) -> None:
    """A candidate that is a rated policy under another name lies where that one does, whatever the others' favours."""
    table = scores(n=80, seed=seed).frame.filter(pl.col("policy") != OWN)
    copied = table.filter(policy=twin).with_columns(policy=pl.lit(OWN))
    both = Scores(pl.concat([table, copied]))
    source = margins_from_scores(both) if judged else both
    rest = margins_from_scores(Scores(table)) if judged else Scores(table)
    held = hold_against(rest, ratings())
    found = place(held, source, OWN, outcome="hard", temperature=1.0)
    assert found.theta == pytest.approx(held.strengths.theta[held.policies.index(twin)], abs=1e-9)


def test_candidates_change_nothing_about_the_rated_policies() -> None:
    table = scores()
    rated = Scores(table.frame.filter(pl.col("policy") != OWN))
    with_one, without = audit(table, ratings(), candidates=[OWN]), audit(rated, ratings())
    assert with_one.mismatch.frame.equals(without.mismatch.frame)
    assert with_one.favouritism is not None
    assert without.favouritism is not None
    assert with_one.favouritism.frame.equals(without.favouritism.frame)
    assert with_one.summary == without.summary
    assert without.candidates is None
    assert with_one.candidates is not None
    assert row(with_one.candidates) == row(place_candidates(table, ratings(), [OWN]))


def test_several_candidates_do_not_meet_each_other() -> None:
    first = scores()
    second = first.frame.filter(policy=OWN).with_columns(policy=pl.lit("theirs"), score=pl.col("score") + 1.0)
    both = Scores(pl.concat([first.frame, second]))
    found = place_candidates(both, ratings(), [OWN, "theirs"])
    assert found.frame["policy"].to_list() == ["theirs", OWN]  # the highest first
    assert row(found) == row(place_candidates(first, ratings(), [OWN]))


def test_the_error_is_that_of_leaving_out_prompts_in_turn() -> None:
    """With exact ratings and no scatter the error is of the prompts alone: a jackknife's."""
    table = scores(n=60)
    exact = ratings(std_err=0.0)
    prompts = table.frame["prompt_id"].unique().to_list()

    def implied(frame: pl.DataFrame) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CharmWarning)
            return float(row(place_candidates(Scores(frame), exact, [OWN], scope="these"))["implied_elo"])

    left = np.array([implied(table.frame.filter(pl.col("prompt_id") != p)) for p in prompts])
    n = len(prompts)
    jackknife = np.sqrt((n - 1) / n * ((left - left.mean()) ** 2).sum())
    found = row(place_candidates(table, exact, [OWN], scope="these"))
    assert found["std_err"] == pytest.approx(jackknife, rel=0.15)
    assert found["predicted_low"] is None  # these policies alone say nothing of another's favour


def test_errors_of_ratings_count() -> None:
    table = scores(n=2000)
    sure, unsure = (
        row(place_candidates(table, ratings(se), [OWN], scope="these"))["std_err"] for se in (1.0, 40.0)
    )
    assert unsure > 2 * sure


def test_published_win_rates_place_one_too() -> None:
    table = scores(n=400)
    published = tally_margins(pair_margins(table)).to_win_rates()
    with pytest.warns(CharmWarning, match="assumed to share prompts"):
        found = audit(published, ratings(), candidates=[OWN])
    assert found.candidates is not None
    here, there = row(found.candidates), row(place_candidates(table, ratings(), [OWN]))
    assert here["implied_elo"] == pytest.approx(there["implied_elo"], abs=2)
    assert here["std_err"] == pytest.approx(there["std_err"], rel=0.5)


def test_samples_are_averaged_within_a_prompt() -> None:
    table = scores().frame.with_columns(sample=0)
    twice = Scores(pl.concat([table, table.with_columns(sample=1)]))
    here, there = (row(place_candidates(s, ratings(), [OWN])) for s in (twice, Scores(table.drop("sample"))))
    assert here == pytest.approx(there)


def test_a_candidate_that_wins_everything_has_no_interval() -> None:
    table = scores(9000.0)
    with pytest.warns(CharmWarning, match="no interval for 'mine'"):
        found = audit(table, ratings(), candidates=[OWN])
    assert found.candidates is not None
    got = row(found.candidates)
    assert got["implied_elo"] > 1300
    assert (got["ci_low"], got["predicted_high"], got["std_err"]) == (None, None, None)


@pytest.mark.filterwarnings("ignore:the RM ranks policies upside down")
def test_ratings_that_give_no_line_place_nobody() -> None:
    flipped = Scores(scores().frame.with_columns(score=-pl.col("score")))
    with pytest.warns(CharmWarning, match="candidates cannot be placed"):
        found = audit(flipped, ratings(), candidates=[OWN])
    assert found.candidates is None


@pytest.mark.parametrize(
    ("candidates", "more", "error", "words"),
    [
        (["mien"], {}, UnknownPolicy, "Did you mean 'mine'"),
        (["ace"], {}, ConfigError, "has a human rating"),
        ([OWN], {OWN: 1100.0}, ConfigError, "leave out --candidate"),
        ([], {}, UnknownPolicy, "'mine'"),  # unrated, and not said to be a candidate
    ],
)
def test_what_does_not_fit_is_refused(
    candidates: list[str], more: dict[str, float], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        audit(scores(), ratings(**more), candidates=candidates)


def test_a_candidate_on_prompts_of_its_own_is_refused() -> None:
    frame = scores().frame.with_columns(
        prompt_id=pl.when(policy=OWN).then(pl.concat_str(pl.lit("q"), "prompt_id")).otherwise("prompt_id")
    )
    with pytest.raises(NoOverlap, match="candidate 'mine' shares no prompt"):
        place_candidates(Scores(frame), ratings(), [OWN])


def test_saved_and_told(tmp_path: Path) -> None:
    found = audit(scores(), ratings(), candidates=[OWN])
    save_audit(found, tmp_path)
    assert load(Candidates, tmp_path / "candidates.parquet").frame.equals(found.tables()["candidates"])
    told = json.loads((tmp_path / "audit.json").read_text())
    assert told["candidates"] == found.tables()["candidates"].to_dicts()
    assert told["provenance"]["settings"]["candidates"] == [OWN]
