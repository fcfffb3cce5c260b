"""Files of judgements as they are met: each layout, whose judgements, and everything that can be wrong with them."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from charm_rm import audit, load_judgements, load_ratings, load_source, store
from charm_rm.errors import CharmWarning, ConfigError, SchemaError, UnreadableFile
from charm_rm.judgements import MARGIN_BOUND
from charm_rm.responses import load_responses
from charm_rm.statistics import sigmoid
from charm_rm.tables import Margins, Scores

Rows = list[dict[str, Any]]


def write(path: Path, rows: Rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        store.write_frame(pl.DataFrame(rows, infer_schema_length=None), path)
    return path


def alpaca(preferences: list[Any], policy: str = "oak", **more: Any) -> Rows:
    base = {"generator_1": "base", "generator_2": policy, "annotator": "judge"}
    return [
        {"instruction": f"Ask {i}", "output_1": f"b{i}", "output_2": f"{policy}{i}", "preference": p}
        | base
        | more
        for i, p in enumerate(preferences)
    ]


def wins(margins: Margins) -> list[float]:
    """Probability that the policy is preferred, row by row."""
    return sigmoid(margins.frame["margin"].to_numpy()).tolist()


def quietly(path: Path, **settings: Any) -> Margins:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        return load_judgements(path, **settings)


# --- AlpacaEval -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["annotations.json", "a.jsonl", "a.csv", "a.parquet"])
def test_alpaca_eval_reads_the_same_from_every_kind_of_file(tmp_path: Path, name: str) -> None:
    margins = load_source(write(tmp_path / name, alpaca([1, 1.25, 1.5, 2])))
    assert isinstance(margins, Margins)
    np.testing.assert_allclose(wins(margins), [0, 0.25, 0.5, 1], atol=1e-9)
    assert margins.frame["margin"][2] == 0
    assert margins.frame["margin"][3] == MARGIN_BOUND
    assert margins.frame.select("policy", "reference").unique().row(0) == ("oak", "base")
    assert margins.provenance["annotator"] == "judge"


def test_columns_of_changing_shape_are_no_matter(tmp_path: Path) -> None:
    rows = alpaca([1, 2.0, 1.5])
    for row, raw in zip(rows, [None, "text", [{"logprobs": {"m": -0.1}}]], strict=True):
        row["raw_completion"] = raw
    assert len(load_judgements(write(tmp_path / "annotations.json", rows))) == 3


def test_an_older_files_0_is_a_tie_and_nothing_said_is_no_verdict(tmp_path: Path) -> None:
    path = write(tmp_path / "annotations.json", alpaca([0, 1, None, float("nan"), 2]))
    with pytest.warns(CharmWarning, match="2 of 5 judgements dropped: no verdict"):
        margins = load_judgements(path)
    np.testing.assert_allclose(wins(margins), [0.5, 0, 1], atol=1e-9)
    assert margins.provenance["dropped"]["no verdict"] == 2


def test_ids_are_those_of_the_responses(tmp_path: Path) -> None:
    judged = load_judgements(write(tmp_path / "annotations.json", alpaca([1, 2])))
    answers = [{"instruction": f" Ask {i}\n", "output": "x", "generator": "oak"} for i in range(2)]
    responses = load_responses(write(tmp_path / "model_outputs.json", answers))
    assert judged.frame["prompt_id"].to_list() == responses.frame["prompt_id"].to_list()


def test_an_instruction_asked_twice_is_two_prompts_but_a_repeated_row_is_one(tmp_path: Path) -> None:
    rows = alpaca([1, 2])
    again = rows[0] | {"output_2": "other", "preference": 2}
    path = write(tmp_path / "annotations.json", [*rows, again, rows[1]])
    with pytest.warns(CharmWarning, match="1 of 4 judgements say the same"):
        margins = load_judgements(path)
    assert margins.frame["prompt_id"].to_list()[2] == margins.frame["prompt_id"][0] + "-2"
    np.testing.assert_allclose(wins(margins), [0, 1, 1], atol=1e-9)


def test_a_policy_against_itself_is_dropped_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "annotations.json", alpaca([1, 2]) + alpaca([1.5], policy="base"))
    with pytest.warns(CharmWarning, match="1 of 3 judgements dropped: policy against itself"):
        assert load_judgements(path).policies == ["base", "oak"]


def test_both_orders_are_averaged_as_preferences(tmp_path: Path) -> None:
    turned = [
        r
        | {"generator_1": "oak", "generator_2": "base", "output_1": r["output_2"], "output_2": r["output_1"]}
        for r in alpaca([1.9])
    ]
    margins = load_judgements(write(tmp_path / "a.json", alpaca([1.8]) + turned))
    assert wins(margins) == pytest.approx([(0.8 + 0.1) / 2])


def test_one_annotator_has_to_be_chosen_of_several(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", alpaca([1, 1]) + alpaca([2, 2], annotator="other"))
    with pytest.raises(ConfigError, match="2 judges: 'judge', 'other'"):
        load_judgements(path)
    assert wins(load_judgements(path, annotator="other")) == pytest.approx([1, 1])
    with pytest.raises(ConfigError, match=r"'othr'.*Did you mean 'other'"):
        load_judgements(path, annotator="othr")


def test_a_folder_of_results_names_policies(tmp_path: Path) -> None:
    for policy in ("oak", "reed"):
        write(tmp_path / policy / "judge" / "annotations.json", alpaca([1, 2], policy=policy))
    write(tmp_path / "oak" / "other" / "annotations.json", alpaca([2, 2]))
    write(tmp_path / "null" / "judge" / "annotations.json", alpaca([2, 2], policy="example"))
    with pytest.raises(ConfigError, match="'judge', 'other'"):
        load_judgements(tmp_path)
    with pytest.warns(CharmWarning, match="'null for example'"):
        margins = load_judgements(tmp_path, annotator="judge")
    assert margins.policies == ["base", "null", "oak", "reed"]
    assert len(load_judgements(tmp_path / "oak", annotator="other")) == 2
    assert len(load_source(tmp_path / "oak" / "judge")) == 2
    with pytest.raises(UnreadableFile, match="holds no judgements"):
        load_judgements(write(tmp_path / "empty" / "x.csv", [{"a": 1}]).parent)


def test_a_merged_file_keeps_its_own_names(tmp_path: Path) -> None:
    rows = [*alpaca([1, 2], policy="good"), *alpaca([2, 2], policy="bad")]
    path = write(tmp_path / "mine" / "judge" / "annotations.json", rows)
    assert load_judgements(path.parent).policies == load_judgements(path).policies == ["bad", "base", "good"]


# --- Arena-Hard and MT-Bench ----------------------------------------------------------------------


def arena_hard(verdicts: list[tuple[Any, Any]], **more: Any) -> Rows:
    """As v2.0 writes them: A is the baseline in the first game, the model in the second."""
    return [
        {"uid": f"q{i}", "model": "oak", "judge": "gpt", "baseline": "base", "category": "hard_prompt"}
        | {"games": [{"score": s, "judgment": {"answer": "..."}, "prompt": []} for s in pair]}
        | more
        for i, pair in enumerate(verdicts)
    ]


def test_arena_hard_averages_both_games_with_the_second_one_swapped(tmp_path: Path) -> None:
    verdicts = [("B>>A", "A>>B"), ("A>B", "B>A"), ("A=B", "A=B"), ("B>A", "B>A"), ("A<<B", "A=B")]
    margins = load_source(write(tmp_path / "oak.jsonl", arena_hard(verdicts)))
    strong, slight = (float(sigmoid(x)) for x in (3, 1))
    expected = [strong, 1 - slight, 0.5, 0.5, (strong + 0.5) / 2]
    assert wins(margins) == pytest.approx(expected)
    assert margins.frame.row(0)[:3] == ("q0", "oak", "base")


def test_arena_hard_v01_needs_its_baseline_named(tmp_path: Path) -> None:
    rows = [{"question_id": r["uid"]} | r for r in arena_hard([("A>B", "B>A")])]
    rows = [{k: v for k, v in r.items() if k not in ("uid", "baseline")} for r in rows]
    path = write(tmp_path / "oak.jsonl", rows)
    with pytest.raises(ConfigError, match="gpt-4-0314"):
        load_judgements(path)
    assert load_judgements(path, baseline="gpt-4-0314").policies == ["gpt-4-0314", "oak"]


def test_a_game_without_a_verdict_drops_its_question(tmp_path: Path) -> None:
    rows = arena_hard([("A>B", "B>A"), ("A>B", None), ("A>B", "B>A")])
    rows[2]["games"][0] = None
    path = write(tmp_path / "oak.jsonl", rows)
    with pytest.warns(CharmWarning, match="2 of 3 judgements dropped: no verdict"):
        assert len(load_judgements(path)) == 1


def test_a_folder_of_models_is_one_judges(tmp_path: Path) -> None:
    write(tmp_path / "oak.jsonl", arena_hard([("A>B", "B>A")]))
    write(tmp_path / "reed.jsonl", arena_hard([("A>B", "B>A")], model="reed"))
    assert load_judgements(tmp_path).policies == ["base", "oak", "reed"]
    write(tmp_path / "elm.jsonl", arena_hard([("A>B", "B>A")], model="elm", judge="claude"))
    with pytest.raises(ConfigError, match="'claude', 'gpt'"):
        load_judgements(tmp_path)


def test_mt_bench_pairs(tmp_path: Path) -> None:
    """As FastChat writes them: one judge under four prompts (by turn and mathematics), ``error`` where it named no winner."""
    base = {"model_1": "oak", "model_2": "reed", "tstamp": 1.5}
    outcomes = [
        (81, 1, "pair-v2", "model_1", "model_1"),
        (82, 1, "pair-v2", "model_1", "model_2"),
        (83, 1, "pair-v2", "tie", "model_2"),
        (111, 1, "pair-math-v1", "error", "model_1"),
        (81, 2, "pair-v2-multi-turn", "model_2", "model_2"),
        (111, 2, "pair-math-v1-multi-turn", "model_2", "model_2"),
    ]
    rows = [
        base | {"question_id": q, "turn": t, "judge": ["gpt-4", prompt], "g1_winner": a, "g2_winner": b}
        for q, t, prompt, a, b in outcomes
    ]
    with pytest.warns(CharmWarning) as said:
        margins = load_judgements(write(tmp_path / "gpt-4_pair.jsonl", rows))
    np.testing.assert_allclose(wins(margins), [1, 0.5, 0.25], atol=1e-9)
    assert margins.frame["prompt_id"].to_list() == ["81", "82", "83"]
    assert margins.provenance["annotator"] == "gpt-4"
    assert [str(w.message).partition("jsonl: ")[2] for w in said] == [
        "2 of 6 judgements left out: of a later turn, where models share no prompt",
        "1 of 4 judgements dropped: no verdict",
    ]


# --- a table of one's own -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("preference", [1.0, 0.0, 0.5, 0.25]),
        ("probability", [1.0, 0.0, 0.5, 0.25]),
        ("winner", ["oak", "base", "tie", None]),
        ("winner", ["policy", "reference", "tie", None]),
    ],
)
def test_a_table_of_ones_own(tmp_path: Path, column: str, values: list[Any]) -> None:
    rows = [{"prompt_id": i, "policy": "oak", "reference": "base", column: v} for i, v in enumerate(values)]
    margins = quietly(write(tmp_path / "own.csv", rows))
    np.testing.assert_allclose(wins(margins)[:3], [1, 0, 0.5], atol=1e-9)
    assert margins.frame["prompt_id"][0] == "0"


def test_own_margins_are_taken_as_they_are(tmp_path: Path) -> None:
    rows = [
        {"prompt_id": "p", "policy": "oak", "reference": "base", "margin": 55.5, "judge": j} for j in "ab"
    ]
    margins = load_source(write(tmp_path / "own.csv", rows), annotator="a")
    assert margins.frame["margin"].to_list() == [55.5]


# --- bad input ------------------------------------------------------------------------------------

OWN = {"prompt_id": "p", "policy": "oak", "reference": "base"}
BAD: dict[str, tuple[Rows, type[Exception], str]] = {
    "a preference above 2": (alpaca([1, 2.5]), SchemaError, r"row 1: preference 2.5 is neither in \[1, 2\]"),
    "a preference between 0 and 1": (alpaca([1, 0.5]), SchemaError, "preference 0.5"),
    "a preference that is text": (
        alpaca([1, "A"]),
        SchemaError,
        "'preference' should hold a number, found 'A'",
    ),
    "no prompt": (
        [{k: v for k, v in alpaca([1])[0].items() if k != "instruction"}],
        SchemaError,
        "instruction",
    ),
    "an unknown verdict": (arena_hard([("A>B", "B>A"), ("A", "B>A")]), SchemaError, "row 1: score 'A'"),
    "a score of one model": (arena_hard([(7, 8)]), SchemaError, "score '7'"),
    "one game alone": (arena_hard([("A>B",)]), SchemaError, "games 1 is not 2"),
    "a preference of one's own above 1": ([OWN | {"preference": 2}], SchemaError, "generator_1"),
    "an unknown winner": ([OWN | {"winner": "elm"}], SchemaError, "winner 'elm'"),
    "two measures": ([OWN | {"winner": "oak", "probability": 1}], SchemaError, "exactly one"),
    "no measure": ([OWN | {"judge": "gpt"}], SchemaError, "exactly one"),
    "no columns that are known": ([{"a": 1, "b": 2}], SchemaError, "no known layout"),
    "a pair judged twice": (
        [OWN | {"winner": "oak"}, OWN | {"winner": "base"}],
        SchemaError,
        "prompt 'p': 'oak' against 'base' is judged twice",
    ),
    "no verdict at all": (alpaca([None, None]), SchemaError, "no judgement is left"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("suffix", [".json", ".parquet"])
def test_bad_judgements_are_named(tmp_path: Path, name: str, suffix: str) -> None:
    rows, error, message = BAD[name]
    if name in ("a preference that is text", "a score of one model") and suffix == ".parquet":
        pytest.skip("a Parquet column has one kind")
    path = write(tmp_path / f"judged{suffix}", rows)
    with pytest.raises(error, match=message) as caught:
        quietly(path)
    assert str(path) in str(caught.value)


def test_broken_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl"
    path.write_text(json.dumps(arena_hard([("A>B", "B>A")])[0]) + '\n{"uid": ')
    with pytest.raises(UnreadableFile, match="line 2 is not valid JSON"):
        load_source(path)
    for name in ("empty.json", "empty.jsonl"):
        (tmp_path / name).touch()
        with pytest.raises(UnreadableFile, match="empty"):
            load_source(tmp_path / name)
    (tmp_path / "latin.jsonl").write_bytes('{"model": "é"}'.encode("latin-1"))
    with pytest.raises(UnreadableFile, match="UTF-8"):
        load_source(tmp_path / "latin.jsonl")
    with pytest.raises(UnreadableFile, match="no such file"):
        load_source(tmp_path / "none.jsonl")


def test_an_annotator_is_refused_where_there_are_no_judgements(tmp_path: Path) -> None:
    path = write(tmp_path / "scores.csv", [{"prompt_id": "p", "policy": "oak", "score": 1.0}])
    with pytest.raises(ConfigError, match="--judge"):
        load_source(path, annotator="gpt")
    assert isinstance(load_source(path), Scores)


@pytest.mark.realdata
def test_the_alpaca_eval_judges_win_rates_are_the_published_ones(real_data: Path) -> None:
    folder = real_data / "alpaca_eval"
    margins = quietly(folder / "judge_annotations.parquet", annotator="weighted_alpaca_eval_gpt4_turbo")
    mine = (
        margins.frame.with_columns(pl.Series("p", wins(margins))).group_by("policy").agg(pl.col("p").mean())
    )
    both = mine.join(pl.read_csv(folder / "leaderboard_gpt4_turbo.csv"), on="policy")
    assert both.height == 55
    assert (both["p"] - both["win_rate"] / 100).abs().max() < 1e-6


@pytest.mark.realdata
def test_the_soft_audit_of_the_alpaca_eval_judge_is_the_leaderboards(real_data: Path) -> None:
    folder = real_data / "alpaca_eval"
    margins = quietly(folder / "judge_annotations.parquet", annotator="weighted_alpaca_eval_gpt4_turbo")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        found = audit(
            margins,
            load_ratings(real_data / "arena" / "leaderboard_2024-06_2025-08.parquet", date="2024-12-31"),
            aliases=folder / "arena_names.csv",
            references=["gpt4_1106_preview"],
            outcome="soft",
            unrated="skip",
            draws=200,
        )
    rows = found.mismatch.frame.join(
        pl.read_csv(folder / "leaderboard_gpt4_turbo.csv"), on="policy", suffix="_b"
    )
    assert rows.height == 15
    assert (rows["win_rate"] - rows["win_rate_b"] / 100).abs().max() < 1e-6
    assert (rows["ci_low"] < rows["mismatch"]).all()
    assert found.sharpness.ci_low < 1.93 < found.sharpness.ci_high
