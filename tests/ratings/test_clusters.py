"""Which votes go together: the column, missing values, too few clusters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from charm_rm import store
from charm_rm.errors import CharmWarning, SchemaError
from charm_rm.ratings import fit_ratings, load_battles, load_ratings
from charm_rm.statistics import Z95
from charm_rm.tables import Battles

from .strategies import battles_of

ROWS = [("x", "y", "a"), ("x", "y", "b"), ("x", "y", "a")] * 20


def with_prompts(prompts: list[str | None]) -> Battles:
    return Battles(battles_of(ROWS).frame.with_columns(prompt_id=pl.Series(prompts, dtype=pl.String)))


def test_prompts_are_the_clusters_where_there_are_prompts() -> None:
    record = fit_ratings(with_prompts([f"p{i % 30}" for i in range(60)])).provenance
    assert (record["cluster"], record["n_clusters"]) == ("prompt_id", 30)
    assert record["covariance"] == "cluster-robust sandwich"
    assert record["interval_quantile"] == pytest.approx(2.045, abs=1e-3)  # Student's t, 29 degrees of freedom


@pytest.mark.parametrize("battles", [battles_of(ROWS), with_prompts([None] * 60)])
def test_without_prompts_votes_are_independent(battles: Battles) -> None:
    record = fit_ratings(battles).provenance
    assert (record["cluster"], record["n_clusters"]) == (None, None)
    assert record["interval_quantile"] == Z95


def test_a_vote_without_a_prompt_is_a_cluster_of_its_own() -> None:
    record = fit_ratings(with_prompts([f"p{i}" if i < 25 else None for i in range(60)])).provenance
    assert record["n_clusters"] == 60


def test_battles_of_weight_zero_are_in_no_cluster() -> None:
    frame = with_prompts([f"p{i % 30}" for i in range(60)]).frame
    idle = frame.with_columns(weight=pl.lit(0.0), prompt_id=pl.lit("idle"))
    both = pl.concat([frame.with_columns(weight=pl.lit(1.0)), idle.select(*frame.columns, "weight")])
    one, two = fit_ratings(Battles(frame)), fit_ratings(Battles(both))
    assert two.provenance["n_clusters"] == 30
    np.testing.assert_allclose(two.covariance, one.covariance)


def test_one_cluster_is_no_cluster_and_a_few_are_rough() -> None:
    with pytest.warns(
        CharmWarning, match="all battles have the same prompt_id: they are treated as independent"
    ):
        one = fit_ratings(with_prompts(["p"] * 60))
    np.testing.assert_allclose(one.covariance, fit_ratings(battles_of(ROWS)).covariance)
    with pytest.warns(CharmWarning, match="5 clusters by prompt_id"):
        few = fit_ratings(with_prompts([f"p{i % 5}" for i in range(60)]))
    assert few.provenance["interval_quantile"] == pytest.approx(2.776, abs=1e-3)  # 4 degrees of freedom


def test_errors_of_few_clusters_say_what_their_intervals_say(tmp_path: Path) -> None:
    """Two degrees of freedom: t is 4.30. An audit reads errors as normal ones, and a file of them is read again."""
    with pytest.warns(CharmWarning, match="3 clusters by prompt_id"):
        few = fit_ratings(with_prompts([f"p{i % 3}" for i in range(60)]))
    width = few.frame["ci_high"] - few.frame["ci_low"]
    np.testing.assert_allclose(width, 2 * Z95 * few.frame["std_err"])
    np.testing.assert_allclose(few.frame["std_err"] ** 2, np.diag(few.covariance))
    assert (
        load_ratings(store.save(few, tmp_path / "few.csv")).frame["std_err"].to_list()
        == few.frame["std_err"].to_list()
    )


def test_a_cluster_column_that_is_missing_or_empty_is_refused() -> None:
    battles = with_prompts([None] * 60)
    with pytest.raises(SchemaError, match="'promt_id' is missing. Did you mean 'prompt_id'"):
        fit_ratings(battles, cluster="promt_id")
    with pytest.raises(SchemaError, match="'prompt_id' is empty throughout"):
        fit_ratings(battles, cluster="prompt_id")


def test_a_text_column_comes_along_where_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text("model_a,model_b,winner,judge,language\nx,y,tie,j1,en\n")
    assert load_battles(path).frame.columns == ["policy_a", "policy_b", "winner"]
    assert load_battles(path, keep=["judge"]).frame.columns[-1] == "judge"
    with pytest.raises(SchemaError, match="'juge' is missing. Did you mean 'judge'"):
        load_battles(path, keep=["juge"])
