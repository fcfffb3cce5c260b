"""Strict names: exact, alias, folded, or an error."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.errors import CharmWarning, ConfigError, SchemaError, UnknownPolicy, UnreadableFile
from charm_rm.policy_names import fold_name
from charm_rm.ratings import load_ratings, match_ratings, read_aliases, resolve_names
from charm_rm.tables import Ratings


def rated(*names: str) -> Ratings:
    values = [1000.0 + 10 * i for i in range(len(names))]
    half = np.arange(len(names) ** 2, dtype=float).reshape(len(names), -1)
    return Ratings(pl.DataFrame({"policy": names, "rating": values}), covariance=half + half.T)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("GPT-4o mini (2024-07-18)", "gpt-4o-mini-2024-07-18"),
        ("Llama 3.1_8B  Instruct", "llama-3.1-8b-instruct"),
        ("Command R+ (08-2024)", "command-r-plus-08-2024"),
        ("Claude 3 Opus", "claude-3-opus"),
    ],
)
def test_case_and_punctuation_fold_away(one: str, other: str) -> None:
    assert fold_name(one) == fold_name(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Qwen-14B", "Qwen1.4B"),
        ("Command R (08-2024)", "Command R+ (08-2024)"),
        ("claude-3-5-sonnet", "claude-35-sonnet"),
        ("o3-mini", "o3-mini (High)"),
    ],
)
def test_different_models_never_fold_together(one: str, other: str) -> None:
    assert fold_name(one) != fold_name(other)


@given(st.text(max_size=30))
def test_folding_twice_is_folding_once(name: str) -> None:
    assert fold_name(fold_name(name)) == fold_name(name)


def test_an_exact_name_wins_over_its_folded_twin() -> None:
    ratings = rated("Gemma-2B-it", "gemma-2b-it")
    assert resolve_names(["gemma-2b-it"], ratings) == {"gemma-2b-it": "gemma-2b-it"}


def test_a_name_that_fits_two_after_folding_is_an_error() -> None:
    with pytest.raises(
        UnknownPolicy, match="'GEMMA-2b-it' fits several rated policies: 'Gemma-2B-it', 'gemma-2b-it'"
    ):
        resolve_names(["GEMMA-2b-it"], rated("Gemma-2B-it", "gemma-2b-it"))


def test_the_shipped_aliases_join_the_two_worlds() -> None:
    ratings = rated("GPT-4-0613", "Llama-2-70B-chat", "Claude-2.0")
    names = resolve_names(["gpt4_0613", "llama-2-70b-chat-hf", "claude-2"], ratings)
    assert list(names.values()) == ["GPT-4-0613", "Llama-2-70B-chat", "Claude-2.0"]


def test_a_close_alias_is_used_aloud() -> None:
    with pytest.warns(CharmWarning, match=r"'vicuna-7b-v1.5' as 'Vicuna-7B' \(the Arena pools"):
        assert resolve_names(["vicuna-7b-v1.5"], rated("Vicuna-7B")) == {"vicuna-7b-v1.5": "Vicuna-7B"}


def test_ones_own_alias_comes_before_everything(tmp_path: Path) -> None:
    ratings = rated("model", "other")
    assert resolve_names(["model"], ratings, aliases={"model": "other"}) == {"model": "other"}
    path = tmp_path / "alias.csv"
    path.write_text("policy,arena_name\nmine,nowhere|Other\n")
    assert resolve_names(["mine"], ratings, aliases=path) == {"mine": "other"}


def test_alternatives_that_both_hit_are_an_error() -> None:
    with pytest.raises(UnknownPolicy, match="fits several rated policies: 'a', 'b'"):
        resolve_names(["mine"], rated("a", "b"), aliases={"mine": "a|b"})


def test_unknown_policies_are_all_named_with_near_misses() -> None:
    with pytest.raises(UnknownPolicy) as caught:
        resolve_names(["gpt-4o-min", "zzz", "a"], rated("gpt-4o-mini", "a"), aliases={"zzz": "gone"})
    text = str(caught.value)
    assert "2 policies have no rating" in text
    assert "'gpt-4o-min' Did you mean 'gpt-4o-mini'?" in text
    assert "'zzz', by alias 'gone'" in text
    assert "--alias FILE" in text


def test_skipping_names_and_counts_the_skipped() -> None:
    with pytest.warns(CharmWarning, match="skipped 2 policies without a rating: 'zzz', 'yyy'"):
        assert resolve_names(["zzz", "a", "yyy"], rated("a"), unrated="skip") == {"a": "a"}


def test_ratings_of_several_dates_are_refused() -> None:
    frame = pl.DataFrame({"policy": ["a", "a"], "rating": [1.0, 2.0], "date": ["2024-01-01", "2024-01-02"]})
    with pytest.raises(ConfigError, match="several categories or dates"):
        resolve_names(["a"], Ratings(frame))


def test_matching_restricts_orders_renames_and_keeps_the_covariance_block() -> None:
    ratings = rated("Alpha", "Beta", "Gamma")
    matched = match_ratings(ratings, ["gamma", "alpha"])
    assert matched.frame["policy"].to_list() == ["gamma", "alpha"]
    assert matched.frame["rating"].to_list() == [1020.0, 1000.0]
    np.testing.assert_array_equal(matched.covariance, ratings.covariance[np.ix_([2, 0], [2, 0])])
    assert matched.provenance["renamed"] == {"gamma": "Gamma", "alpha": "Alpha"}


def test_matching_nothing_at_all_is_an_error_even_when_skipping() -> None:
    with (
        pytest.warns(CharmWarning),
        pytest.raises(UnknownPolicy, match="none of the policies has a rating"),
    ):
        match_ratings(rated("a"), ["zzz"], unrated="skip")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("policy,name\na,b\n", "column 'arena_name' is missing"),
        ("policy,arena_name\na,b\na,c\n", "'a' has several rows"),
        ("policy,arena_name\na,\n", "row 0: aliases: an empty name"),
    ],
)
def test_malformed_alias_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "alias.csv"
    path.write_text(text)
    with pytest.raises(SchemaError, match=message):
        read_aliases(path)


@pytest.mark.realdata
def test_all_46_names_matched_by_hand_are_matched_alike(real_data: Path) -> None:
    by_hand = pl.read_csv(real_data / "alpaca_eval" / "arena_names.csv")
    ratings = load_ratings(real_data / "arena" / "leaderboard_2024-06_2025-08.parquet", date="2024-12-31")
    with pytest.warns(CharmWarning, match="close, not the same"):
        matched = match_ratings(ratings, by_hand["policy"])
    assert matched.frame["rating"].to_list() == by_hand["rating"].to_list()
    with pytest.warns(CharmWarning, match="close, not the same"):
        names = resolve_names(by_hand["policy"], ratings)
    allowed = dict(by_hand.select("policy", "arena_names").iter_rows())
    assert all(name in allowed[policy].split("|") for policy, name in names.items())


def test_two_spellings_of_one_rated_model_are_told() -> None:
    ratings = Ratings(
        pl.DataFrame(
            {"policy": ["Gemma 2 9B IT", "other"], "rating": [1267.0, 1200.0], "std_err": [2.0, 2.0]}
        )
    )
    with pytest.warns(CharmWarning, match="rated as the same model, 'Gemma 2 9B IT'"):
        match_ratings(ratings, ["gemma-2-9b-it", "Gemma 2 9B IT ", "other"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        match_ratings(
            ratings,
            ["mine-4bit", "mine", "other"],
            aliases={"mine-4bit": "Gemma 2 9B IT", "mine": "Gemma 2 9B IT"},
        )
        match_ratings(ratings, ["gemma-2-9b-it", "other"])


def test_near_names_of_shipped_ratings_are_asked_about() -> None:
    with pytest.raises(UnreadableFile, match="no such file. Did you mean 'arena'"):
        load_ratings("areana")
