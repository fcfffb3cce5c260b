"""Every public verb takes what people hold: nouns, tables of other libraries, paths."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import charm_rm
from charm_rm import audit, save, store
from charm_rm.errors import ConfigError, ReadingNote, SchemaError
from charm_rm.given import as_comparable, as_judgements, as_offsets, as_scores, as_source
from charm_rm.margins import margins_from_scores, pair_margins, score_matrix
from charm_rm.offsets import apply_offsets, solve_joint_offsets, solve_offsets
from charm_rm.preferences import any_preferences
from charm_rm.ratings import as_battles, as_ratings, fit_ratings, match_ratings, resolve_names
from charm_rm.responses import as_responses, sample_instructions, split_prompts
from charm_rm.tables import Margins, Scores, WinRates
from mismatch.planted import noise, ratings, scores

SCORES, RATINGS = scores(noise(1, 40)), ratings()
_WARNED = pytest.mark.filterwarnings(
    "ignore::charm_rm.errors.CharmWarning"
)  # of few draws, prompts, clusters
QUICK: dict[str, Any] = {"draws": 0}


def _pandas(frame: pl.DataFrame) -> Any:
    pandas = pytest.importorskip("pandas", reason="pandas is no dependency")
    return pandas.DataFrame(frame.to_dict(as_series=False))


AS: dict[str, Callable[[pl.DataFrame, Path], Any]] = {
    "polars": lambda frame, _: frame,
    "lazy": lambda frame, _: frame.lazy(),
    "columns": lambda frame, _: frame.to_dict(as_series=False),
    "rows": lambda frame, _: frame.to_dicts(),
    "pandas": lambda frame, _: _pandas(frame),
    "arrow": lambda frame, _: pytest.importorskip("pyarrow").table(frame.to_dict(as_series=False)),
    "path": lambda frame, path: store.write_frame(frame, path),
    "text of a path": lambda frame, path: str(store.write_frame(frame, path)),
}


@pytest.fixture(params=AS)
def held(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[pl.DataFrame], Any]:
    """A frame as somebody may hold it."""
    made = AS[request.param]
    count = iter(range(100))
    return lambda frame: made(frame, tmp_path / f"{next(count)}.parquet")


@_WARNED
def test_an_audit_takes_any_table(held: Callable[[pl.DataFrame], Any]) -> None:
    found = audit(held(SCORES.frame), held(RATINGS.frame.select("policy", "rating", "std_err")), draws=100)
    wanted = audit(SCORES, RATINGS, draws=100)
    assert found.mismatch.frame.equals(wanted.mismatch.frame)
    assert found.favouritism is not None
    assert wanted.favouritism is not None
    assert found.favouritism.frame.equals(wanted.favouritism.frame)


@_WARNED
def test_a_csv_file_against_the_shipped_ratings(tmp_path: Path) -> None:
    named = dict(zip(SCORES.policies, ["gpt-4o-2024-05-13", "gpt-4-0314", "o1-preview"], strict=False))
    frame = SCORES.frame.filter(pl.col("policy").is_in(list(named))).with_columns(
        pl.col("policy").replace(named)
    )
    path = save(Scores(frame), tmp_path / "scores.csv")
    by_name = audit(str(path), "arena", draws=0)
    assert set(by_name.ratings.policies) == set(named.values())
    assert by_name.mismatch.frame.equals(audit(Scores(frame), charm_rm.load_ratings("arena"), draws=0).mismatch.frame)  # fmt: skip


def test_verbs_of_scores_and_ratings(held: Callable[[pl.DataFrame], Any]) -> None:
    s, r = held(SCORES.frame), RATINGS
    assert score_matrix(s).policies == tuple(SCORES.policies)
    assert pair_margins(s).policies == tuple(SCORES.policies)
    margins = margins_from_scores(s)
    assert len(as_judgements(held(margins.frame))) == len(margins)
    assert match_ratings(held(r.frame), ["ant"]).policies == ["ant"]
    assert resolve_names(["bee"], held(r.frame)) == {"bee": "bee"}
    one = solve_offsets(s, r, over="ant", references="bee", cross_fit=False, **QUICK)
    both = solve_joint_offsets(s, r, cross_fit=False, **QUICK)
    assert one.policies == ["ant", "bee"]
    moved = apply_offsets(s, held(both.frame))
    assert isinstance(moved, Scores)
    assert moved.frame.equals(apply_offsets(SCORES, both).frame)
    found = charm_rm.compare_favour(s, held(moved.frame), r, **QUICK)
    assert found.summary["policies"] == 8
    assert charm_rm.influence(s, held(r.frame), top=1).policy in SCORES.policies
    aligned = charm_rm.alignment_with_ratings(s, r, baseline=held(moved.frame), **QUICK)
    assert aligned.frame.height


@_WARNED
def test_battles(held: Callable[[pl.DataFrame], Any]) -> None:
    frame = pl.DataFrame(
        {
            "model_a": ["a", "b", "a", "b"] * 5,
            "model_b": ["b", "a", "b", "a"] * 5,
            "winner": ["model_a", "model_a", "tie", "model_b"] * 5,
            "voter": [f"v{i % 15}" for i in range(20)],
        }
    )
    fitted = fit_ratings(held(frame), cluster="voter")
    wanted = fit_ratings(as_battles(frame, keep=["voter"]), cluster="voter")
    assert fitted.frame.drop("source").equals(wanted.frame.drop("source"))


def test_responses_and_preferences(held: Callable[[pl.DataFrame], Any]) -> None:
    rows = [(f"Say {i}", p, f"{p} {i}") for i in range(4) for p in ("ant", "bee")]
    frame = pl.DataFrame(rows, schema=["instruction", "generator", "output"], orient="row")
    read = as_responses(held(frame))
    assert read.frame.height == 8
    assert len(sample_instructions(held(frame), n=2)) == 4
    assert [len(side) for side in split_prompts(held(frame), test_fraction=0.5)] == [4, 4]
    assert charm_rm.measure_features(held(frame), features=["words"]).features == ["words"]
    assert charm_rm.plan_pairs(held(frame)).height == 4
    numbers = read.frame.with_columns(pl.col("response").str.len_chars().cast(pl.Float64).alias("score"))
    scored = numbers.select("prompt_id", "policy", pl.int_range(pl.len()).cast(pl.Float64).alias("score"))
    offsets = pl.DataFrame({"policy": ["ant", "bee"], "delta": [5.0, 0.0], "is_reference": [False, True]})
    offsets = offsets.with_columns(
        *(pl.lit(None, pl.Float64).alias(c) for c in ("std_err", "ci_low", "ci_high", "target", "attained"))
    )
    labelled = charm_rm.relabel_preferences(held(scored), held(read.frame), held(offsets))
    assert len(labelled.preferences) == 4
    assert labelled.preferences.frame["flipped"].to_list() == [True] * 4
    assert len(any_preferences(held(labelled.preferences.frame))) == 4


def test_what_a_table_is_goes_by_its_columns() -> None:
    margins = margins_from_scores(SCORES)
    rates = pl.DataFrame({"policy": ["a"], "reference": ["b"], "win_rate": [0.5], "n": [10]})
    assert isinstance(as_source(margins.frame), Margins)
    assert isinstance(as_source(rates), WinRates)
    judged = pl.DataFrame(
        {"instruction": ["x"], "generator_1": ["a"], "generator_2": ["b"], "preference": [1.9]}
    )
    assert as_source(judged).frame["margin"][0] > 0
    with pytest.raises(SchemaError, match="need exactly one of the columns"):
        as_source(SCORES.frame.with_columns(margin=0.0))
    with pytest.raises(SchemaError, match="need exactly one of the columns"):
        as_source({"prompt_id": ["1"], "policy": ["a"]})


def test_columns_in_other_names_are_read_as_from_files() -> None:
    other = {"Prompt ID": ["1", "2"], "model": ["a", "a"], "reward": [0.5, 1.0]}
    with pytest.warns(ReadingNote, match="'model' as policy"):
        assert as_source(other).policies == ["a"]
    odd = {"x": ["1", "2"], "y": ["a", "a"], "z": [0.5, 1.0]}
    with pytest.warns(ReadingNote):
        found = as_scores(odd, columns={"prompt_id": "x", "policy": "y", "score": "z"})
    assert found.frame["score"].to_list() == [0.5, 1.0]
    twice = {"prompt_id": ["1", "1"], "policy": ["a", "a"], "score": [0.5, 1.0], "sample": [0, 1]}
    with pytest.warns(ReadingNote):
        assert as_scores(twice, sample="max").frame["score"].to_list() == [1.0]


def test_an_alpaca_eval_leaderboard_in_pandas() -> None:
    board = pl.DataFrame(
        {
            "Unnamed: 0": ["base", "a"],
            "win_rate": [50.0, 30.0],
            "standard_error": [0.0, 1.5],
            "n_total": [805, 805],
        }
    )
    with pytest.warns(ReadingNote, match="percent against 'base'"):
        assert as_source(_pandas(board)).frame["win_rate"].to_list() == [0.3]


def test_the_wrong_kind_of_table_is_refused() -> None:
    rates = WinRates(pl.DataFrame({"policy": ["a"], "reference": ["b"], "win_rate": [0.5], "n": [10]}))
    with pytest.raises(ConfigError, match="holds win rates"):
        as_comparable(rates)
    with pytest.raises(ConfigError, match="holds scores: judgements"):
        as_judgements(SCORES)
    with pytest.raises(ConfigError, match="holds judgements|holds margins"):
        as_scores(margins_from_scores(SCORES))
    with pytest.raises(SchemaError, match="offsets: column"):
        as_offsets(SCORES.frame)
    with pytest.raises(SchemaError, match="no known leaderboard layout"):
        as_ratings({"policy": ["a"], "wins": [1]})


def test_a_float_id_is_refused_by_every_door() -> None:
    floats = [1.0, 2.0]
    with pytest.raises(SchemaError, match=r"'policy' should hold a text, found 1\.0"):
        as_ratings({"policy": floats, "rating": [1000, 1100]})
    with pytest.raises(SchemaError, match=r"'model_a' should hold a text, found 1\.0"):
        as_battles({"model_a": floats, "model_b": ["a", "b"], "winner": ["tie", "tie"]})
    with pytest.raises(SchemaError, match=r"'prompt_id' should hold a text, found 1\.0"):
        as_responses({"prompt_id": floats, "prompt": ["x", "y"], "policy": ["a", "a"], "response": ["", "b"]})
    with pytest.raises(SchemaError, match=r"'question_id' should hold a text, found 1\.0"):
        as_source({"question_id": floats, "model_1": ["a", "b"], "model_2": ["b", "a"], "g1_winner": ["tie"] * 2, "g2_winner": ["tie"] * 2})  # fmt: skip


# Nouns that a verb makes, or that are saved as what they are.
_MADE = {"save", "save_audit", "save_calibrator", "load", "run_pipeline", "train_reward_model"}
_NOUNS = {"Scores", "Margins", "WinRates", "Ratings", "Responses", "Battles", "Offsets", "Preferences"}


@pytest.mark.parametrize("name", [n for n in charm_rm.__all__ if n[0].islower() and n not in _MADE])
def test_no_public_verb_takes_nouns_alone(name: str) -> None:
    """A parameter annotated with a noun, and with nothing that other tables fit, is a door that is shut."""
    if charm_rm._HOME_OF[name] == "models":
        pytest.importorskip("torch", reason="needs the [hf] extra")
    verb = getattr(charm_rm, name)
    shut = []
    for parameter in inspect.signature(verb).parameters.values():
        kinds = {part.strip() for part in str(parameter.annotation).strip("'").split("|")}
        if kinds & _NOUNS and not any(kind.endswith("Like") for kind in kinds):
            shut.append(parameter.name)
    assert shut == []
