"""Which votes count: the Arena's rules, and people's votes never mixed with judges' unasked."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from charm_rm.errors import CharmWarning, ConfigError, SchemaError
from charm_rm.ratings import fit_ratings, load_battles
from charm_rm.tables import Battles

KEPT, DUPLICATE = {"high_freq": True, "sampled": True}, {"high_freq": True, "sampled": False}


def rows(**columns: list) -> list[dict[str, Any]]:
    n = len(next(iter(columns.values())))
    base = {"model_a": [f"m{i % 3}" for i in range(n)], "model_b": [f"m{(i + 1) % 3}" for i in range(n)]}
    columns = base | {"winner": ["model_a"] * n} | columns
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def written(folder: Path, votes: list[dict[str, Any]], suffix: str) -> Path:
    path = folder / f"votes.{suffix}"
    if suffix == "json":
        path.write_text(json.dumps(votes))
    elif suffix == "jsonl":
        path.write_text("\n".join(map(json.dumps, votes)))
    elif suffix == "parquet":
        pl.DataFrame(votes).write_parquet(path)
    else:
        cells = [{k: json.dumps(v) if isinstance(v, dict) else v for k, v in v.items()} for v in votes]
        pl.DataFrame(cells).write_csv(path)
    return path


def loaded(path: Path, **how: Any) -> tuple[Battles, list[str]]:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", CharmWarning)
        return load_battles(path, **how), [str(w.message) for w in said]


@pytest.mark.parametrize("suffix", ["json", "jsonl", "parquet", "csv"])
def test_the_arenas_rules(tmp_path: Path, suffix: str) -> None:
    votes = rows(anony=[True, False, True, True, False], dedup_tag=[KEPT, KEPT, DUPLICATE, KEPT, DUPLICATE])
    path = written(tmp_path, votes, suffix)
    battles, said = loaded(path)
    assert battles.frame["policy_a"].to_list() == ["m0", "m0"]
    counts = {"cast with names shown (anony)": 2, "duplicates that the Arena left out (dedup_tag)": 1}
    assert battles.provenance["left_out"] == counts
    assert said == [f"{path}: 3 of 5 votes are left out: 2 cast with names shown (anony); 1 duplicates that the Arena left out (dedup_tag)"]  # fmt: skip
    everything, said = loaded(path, votes="all")
    assert (len(everything), said) == (5, [])
    assert everything.provenance["left_out"] == {}


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("anony", ["True", "False"]),
        ("anony", ["true", None]),
        ("anony", [1, 0]),
        ("anony", [1.0, None]),
        ("dedup_tag", ["{'high_freq': False, 'sampled': True}", "{'high_freq': True, 'sampled': False}"]),
        ("dedup_tag", [KEPT, None]),
        ("dedup_tag.sampled", [True, False]),
    ],
)
def test_flags_as_files_hold_them(tmp_path: Path, column: str, cells: list) -> None:
    for suffix in ("jsonl", "parquet", "csv"):
        votes = rows(**{column: [cells[0], *cells]})
        assert len(loaded(written(tmp_path, votes, suffix))[0]) == 2


def test_our_own_layout_and_kaggles_follow_the_same_rules(tmp_path: Path) -> None:
    own = [{"policy_a": "x", "policy_b": "y", "winner": "a", "anony": a} for a in (True, False)]
    assert len(loaded(written(tmp_path, own, "jsonl"))[0]) == 1
    flags = {"winner_model_a": 1, "winner_model_b": 0, "winner_tie": 0}
    kaggle = [{"model_a": "x", "model_b": "y", **flags, "anony": a} for a in (True, False)]
    assert len(loaded(written(tmp_path, kaggle, "csv"))[0]) == 1


def test_a_flag_that_says_neither_is_refused_with_its_row(tmp_path: Path) -> None:
    path = written(tmp_path, rows(anony=["true", "maybe"]), "csv")
    with pytest.raises(SchemaError, match="(?s)battles, row 1: anony 'maybe' is neither.*--votes all"):
        load_battles(path)
    assert len(load_battles(path, votes="all")) == 2


def test_no_vote_left_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="no vote is left of 2"):
        load_battles(written(tmp_path, rows(anony=[False, False]), "csv"))


def test_errors_name_the_row_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, rows(anony=[False, True], winner=["tie", "draw"]), "csv")
    with pytest.warns(CharmWarning), pytest.raises(SchemaError, match="battles, row 1: winner 'draw'"):
        load_battles(path)


class TestJudges:
    """A column judge: people, automatic judges, or both."""

    @pytest.mark.parametrize(
        "names", [["human-crowd", "gpt4"], ["gpt3", "gpt4"], [None, "gpt-4"], ["alice", "claude-3-opus"]]
    )
    @pytest.mark.parametrize("column", ["judge", "annotator"])
    def test_judges_are_never_mixed_unasked(
        self, tmp_path: Path, column: str, names: list[str | None]
    ) -> None:
        path = written(tmp_path, rows(**{column: names}), "jsonl")
        with pytest.raises(ConfigError, match="(?s)not mixed unless you ask for it.*--judge"):
            load_battles(path)
        assert len(load_battles(path, judge="all")) == 2
        battles, said = loaded(path, judge=names[1])
        assert len(battles) == 1
        assert said == [f"{path}: 1 of 2 votes are left out: 1 of other judges"]
        assert battles.provenance["judge"] == names[1]

    def test_people_are_all_but_automatic_judges(self, tmp_path: Path) -> None:
        path = written(tmp_path, rows(judge=["expert_5", "gpt4_pair", "author_0", None]), "parquet")
        battles, said = loaded(path, judge="people")
        assert battles.frame["policy_a"].to_list() == ["m0", "m2", "m0"]
        assert said == [f"{path}: 1 of 4 votes are left out: 1 of other judges"]

    def test_lists_of_model_and_prompt_are_names(self, tmp_path: Path) -> None:
        path = written(tmp_path, rows(judge=[["gpt-4", "pair-v2"], ["gpt-4", "single-v1"]]), "jsonl")
        with pytest.raises(ConfigError, match="'gpt-4/pair-v2', 'gpt-4/single-v1'"):
            load_battles(path)

    def test_one_judge_or_many_voters_are_as_they_are(self, tmp_path: Path) -> None:
        assert loaded(written(tmp_path, rows(judge=["gpt4"] * 3), "csv"))[0].provenance["judge"] == "gpt4"
        voters = [f"arena_user_{i}" for i in range(30)]
        assert loaded(written(tmp_path, rows(judge=voters), "csv"))[1] == []

    def test_few_people_are_named(self, tmp_path: Path) -> None:
        path = written(tmp_path, rows(judge=["alice", "bob"]), "csv")
        with pytest.warns(
            CharmWarning, match=r"votes of 2 people .* counted together: 'alice', 'bob'; .*--judge"
        ):
            assert len(load_battles(path)) == 2

    def test_unknown_choices_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="no votes of judge 'gpt5'. Did you mean 'gpt4'"):
            load_battles(written(tmp_path, rows(judge=["gpt4", "human"]), "csv"), judge="gpt5")
        with pytest.raises(ConfigError, match="do not say who cast them"):
            load_battles(written(tmp_path, rows(winner=["tie"]), "csv"), judge="gpt4")

    @pytest.mark.parametrize(
        "name",
        [
            "arena_user_973",
            "2e1af6cb9d",
            "u77",
            "expert_5",
            "human-crowd",
            "Mairead",
            "ramona",
            "bobrm",
            "Egptian",
        ],
    )
    def test_people_are_not_taken_for_judges(self, tmp_path: Path, name: str) -> None:
        loaded(written(tmp_path, rows(judge=[name, "zoe"]), "csv"))

    @pytest.mark.parametrize(
        "name", ["gpt4", "gpt-4-turbo", "GPT4_pair", "weighted_alpaca_eval_gpt4_turbo", "claude-3", "o3-mini", "org/Llama-3",
                 "my-rm", "skywork", "JudgeLM", "mixtral-8x7b", "llm", "meta-llama/x", "chatgpt", "an-llm"]
    )  # fmt: skip
    def test_automatic_judges_are_known(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(ConfigError, match="not mixed unless you ask for it"):
            load_battles(written(tmp_path, rows(judge=[name, "zoe"]), "csv"))


def test_a_fit_says_which_votes_it_rests_on(tmp_path: Path) -> None:
    winners = ["model_a", "model_b"] * 6
    path = written(tmp_path, rows(anony=[True] * 11 + [False], winner=winners), "csv")
    ratings = fit_ratings(loaded(path)[0])
    assert ratings.provenance["left_out"] == {"cast with names shown (anony)": 1}
    assert ratings.provenance["votes"] == "arena"
    assert ratings.provenance["n_battles"] == 11


@pytest.mark.realdata
def test_real_votes_of_people_and_two_models(real_data: Path) -> None:
    path = real_data / "llmfao" / "comparisons.parquet"
    with pytest.raises(ConfigError, match=r"\('gpt3', 'gpt4'\) and of 'human-crowd'"):
        load_battles(path)
    assert len(loaded(path, judge="people")[0]) == 8931
    assert len(loaded(path, judge="gpt4")[0]) == 3236
