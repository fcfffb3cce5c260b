"""The nouns refuse what would make a result wrong, naming place and fix."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from charm_rm.errors import CharmWarning, SchemaError
from charm_rm.tables import (
    Battles,
    Margins,
    Ratings,
    Responses,
    Scores,
    WinRates,
    as_messages,
)


def scores(**changes: list[object]) -> Scores:
    columns: dict[str, list[object]] = {"prompt_id": ["p", "q"], "policy": ["x", "y"], "score": [0.5, 1.5]}
    return Scores(pl.DataFrame(columns | changes, strict=False))


def test_a_noun_keeps_its_rows_and_names_its_policies() -> None:
    table = scores()
    assert len(table) == 2
    assert table.policies == ["x", "y"]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_scores_must_be_finite(bad: float) -> None:
    with pytest.raises(
        SchemaError, match=r"row 1 \(prompt_id 'q', policy 'y'\): score is not finite"
    ) as caught:
        scores(score=[0.0, bad])
    assert caught.value.fix


def test_missing_scores_are_refused() -> None:
    with pytest.raises(SchemaError, match="score is missing"):
        scores(score=[0.0, None])


def test_a_duplicate_key_is_refused() -> None:
    with pytest.raises(SchemaError, match=r"\(prompt_id, policy\) is not unique: 2 rows"):
        scores(prompt_id=["p", "p"], policy=["x", "x"])


def test_a_missing_column_gets_a_suggestion() -> None:
    with pytest.raises(SchemaError, match="Did you mean 'scores'"):
        Scores(pl.DataFrame({"prompt_id": ["p"], "policy": ["x"], "scores": [1.0]}))


def test_a_misspelt_optional_column_is_an_error_and_not_ignored() -> None:
    with pytest.raises(SchemaError, match="unknown column 'std_error'"):
        Ratings(pl.DataFrame({"policy": ["x"], "rating": [1000.0], "std_error": [3.0]}))


def test_an_unknown_column_is_dropped_with_a_warning() -> None:
    with pytest.warns(CharmWarning, match="'colour'"):
        table = scores(colour=["red", "blue"])
    assert "colour" not in table.frame.columns


def test_text_where_a_number_belongs_is_refused() -> None:
    with pytest.raises(SchemaError, match="should hold a number, found 'high'"):
        scores(score=["1.0", "high"])


def test_truth_is_no_number() -> None:
    with pytest.raises(SchemaError, match="should hold a number"):
        scores(score=[True, False])


def test_fractions_are_no_whole_numbers() -> None:
    with pytest.raises(SchemaError, match="whole number"):
        scores(n_tokens=[1.0, 2.5])


def test_an_empty_table_is_refused() -> None:
    with pytest.raises(SchemaError, match="no rows"):
        Scores(pl.DataFrame(schema={"prompt_id": pl.String, "policy": pl.String, "score": pl.Float64}))


def test_win_rates_lie_between_0_and_1() -> None:
    with pytest.raises(SchemaError, match="above 1"):
        WinRates(pl.DataFrame({"policy": ["x"], "reference": ["y"], "win_rate": [51.0]}))


def test_no_policy_is_compared_with_itself() -> None:
    with pytest.raises(SchemaError, match="compared with itself"):
        Margins(pl.DataFrame({"prompt_id": ["p"], "policy": ["x"], "reference": ["x"], "margin": [0.1]}))
    with pytest.raises(SchemaError, match="battles itself"):
        Battles(pl.DataFrame({"policy_a": ["x"], "policy_b": ["x"], "winner": ["a"]}))


def test_unknown_winner_labels_name_row_and_label() -> None:
    frame = pl.DataFrame({"policy_a": ["x", "x"], "policy_b": ["y", "y"], "winner": ["a", "model_a"]})
    with pytest.raises(SchemaError, match=r"row 1.*winner 'model_a' is not one of a, b, tie, both_bad"):
        Battles(frame)


def test_ratings_fill_std_err_from_the_interval_and_back() -> None:
    given = Ratings(
        pl.DataFrame({"policy": ["x"], "rating": [1000.0], "ci_low": [990.2], "ci_high": [1009.8]})
    )
    assert given.frame["std_err"][0] == pytest.approx(5.0, abs=1e-3)
    other = Ratings(pl.DataFrame({"policy": ["x"], "rating": [1000.0], "std_err": [5.0]}))
    assert other.frame["ci_high"][0] == pytest.approx(1009.8, abs=1e-2)


def test_ratings_may_repeat_a_policy_only_across_dates() -> None:
    frame = pl.DataFrame({"policy": ["x", "x"], "rating": [1.0, 2.0], "date": ["2025-01-01", "2025-02-01"]})
    assert len(Ratings(frame)) == 2
    with pytest.raises(SchemaError, match="not unique"):
        Ratings(frame.drop("date"))


def test_a_covariance_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(SchemaError, match=r"shape \(2, 2\) for 1 policies"):
        Ratings(pl.DataFrame({"policy": ["x"], "rating": [1.0]}), covariance=np.eye(2))


def test_responses_keep_other_columns() -> None:
    frame = pl.DataFrame(
        {"prompt_id": ["p"], "prompt": ["?"], "policy": ["x"], "response": ["!"], "dataset": ["d"]}
    )
    assert "dataset" in Responses(frame).frame.columns


def test_a_table_without_payload_restores_to_the_plain_noun() -> None:
    plain = Ratings.restore(pl.DataFrame({"policy": ["x"], "rating": [1.0]}), {})
    assert plain.covariance is None
    assert plain.provenance == {}


def test_prompts_become_messages() -> None:
    assert as_messages("hello") == [{"role": "user", "content": "hello"}]
    turns = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    assert as_messages(turns) == turns


@pytest.mark.parametrize(
    ("error", "half"), [(50.0, 10.0), (10.0, 10.0), (0.0, 10.0), (2.0, 40.0), (5.0, 0.0)]
)
def test_an_error_that_contradicts_its_interval_is_refused(error: float, half: float) -> None:
    columns = {"policy": ["a", "b"], "rating": [1000.0, 1100.0], "std_err": [5.0, error]}
    columns |= {"ci_low": [990.0, 1100.0 - half], "ci_high": [1010.0, 1100.0 + half]}
    with pytest.raises(SchemaError, match="'b': std_err .* contradicts its interval") as caught:
        Ratings(pl.DataFrame(columns))
    assert caught.value.where == "ratings, row 1"


@pytest.mark.parametrize(
    ("error", "low", "high"),
    [(5.0, 990.0, 1010.0), (1.0, 999.0, 1002.0), (2.04, 996.2, 1004.1), (6.0, 990.0, 1010.0)],
)
def test_errors_and_intervals_that_were_rounded_agree(error: float, low: float, high: float) -> None:
    columns = {"policy": ["a"], "rating": [1000.0], "std_err": [error], "ci_low": [low], "ci_high": [high]}
    assert len(Ratings(pl.DataFrame(columns))) == 1
