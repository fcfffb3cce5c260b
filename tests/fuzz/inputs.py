"""Valid small inputs of every kind that a command takes, in the layouts that people have them in."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from importlib import resources
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import polars as pl

from . import judged
from .contents import Content, Document, Folder, Rows, Text, read_content, read_folder

POLICIES = ("velvet", "granite", "oak", "reed", "bugle", "satin")
N_PROMPTS = 72
# A reward model and a judge of Python; on the path of the processes that run cases.
MODULE = """
def score(prompts, responses):
    return [float(len(r)) for r in responses]

def answer(prompts):
    return ["an answer" for _ in prompts]

def judge(prompts, first, second):
    return [0.5 + 0.4 * ((len(a) > len(b)) - (len(a) < len(b))) for a, b in zip(first, second)]
"""


def inputs(kind: str, rng: Random, made: Path) -> Content | Folder:
    """A valid input of a kind; ``made`` is the folder that :func:`.library.make` filled."""
    if kind in _MADE:
        return _made(made / _MADE[kind])
    return rng.choice(_KINDS[kind])()


def kinds() -> list[str]:
    return [*_KINDS, *_MADE]


# --- tables ---------------------------------------------------------------------------------------


@cache
def _responses() -> pl.DataFrame:
    rng = np.random.default_rng(1)
    words = ["alpha", "beta", "good", "bad", "fine", "long", "short", "why"]
    return pl.DataFrame(
        [
            {"prompt_id": f"q-{q:02d}", "prompt": f"why {words[q % 8]} {q}", "policy": policy,
             "response": " ".join(rng.choice(words, size=int(rng.integers(1, 9))))}
            for q in range(N_PROMPTS)
            for policy in POLICIES
        ]
    )  # fmt: skip


@cache
def _scores() -> pl.DataFrame:
    rng = np.random.default_rng(2)
    quality = {p: 0.4 * k for k, p in enumerate(POLICIES)}
    rows = _responses().select("prompt_id", "policy")
    return rows.with_columns(pl.Series("score", [quality[p] + float(rng.normal()) for p in rows["policy"]]))


@cache
def _margins() -> pl.DataFrame:
    rng = np.random.default_rng(3)
    rows = [
        {"prompt_id": f"q-{q:02d}", "policy": p, "reference": "oak", "margin": float(rng.normal(0.3 * k))}
        for q in range(N_PROMPTS)
        for k, p in enumerate(POLICIES)
        if p != "oak"
    ]
    return pl.DataFrame(rows)


def _win_rates() -> Rows:
    rates = [0.35, 0.42, 0.55, 0.6, 0.71]
    others = [p for p in POLICIES if p != "oak"]
    rows = {
        "policy": others,
        "reference": ["oak"] * 5,
        "win_rate": rates,
        "n": [200] * 5,
        "std_err": [0.03] * 5,
    }
    return Rows(pl.DataFrame(rows))


def _own_judgements() -> Rows:
    frame = _margins().with_columns(
        pl.when(pl.col("margin") > 0).then(pl.lit("policy")).otherwise(pl.lit("reference")).alias("winner"),
        pl.lit("gpt").alias("annotator"),
    )
    return Rows(frame.drop("margin"))


def _probabilities() -> Rows:
    p = 1 / (1 + (-pl.col("margin")).exp())
    return Rows(_margins().select("prompt_id", "policy", "reference", p.alias("preference")))


def _alpaca_annotations() -> Rows:
    p = 1 + 1 / (1 + (-pl.col("margin")).exp())
    return Rows(
        _margins().select(
            pl.format("why {}", "prompt_id").alias("instruction"),
            pl.col("reference").alias("generator_1"),
            pl.col("policy").alias("generator_2"),
            p.alias("preference"),
            pl.lit("weighted").alias("annotator"),
        )
    )


def _alpaca_results() -> dict[str, Content]:
    parts = _alpaca_annotations().frame.partition_by("generator_2", as_dict=True)
    return {
        f"{p}/weighted/annotations.json": Document(part.to_dicts(), ".json") for (p,), part in parts.items()
    }


def _arena_hard_folder() -> dict[str, Content]:
    rows = _arena_hard().value
    return {
        f"{p}.jsonl": Document([r for r in rows if r["model"] == p], ".jsonl") for p in POLICIES if p != "oak"
    }


def _arena_hard() -> Document:
    labels = ["A>>B", "A>B", "A=B", "B>A", "B>>A"]
    rows = [
        {"question_id": r["prompt_id"], "model": r["policy"], "judge": "gpt", "baseline": r["reference"],
         "games": [{"score": labels[i % 5], "judgment": "..."}, {"score": labels[(i + 2) % 5]}]}
        for i, r in enumerate(_margins().to_dicts())
    ]  # fmt: skip
    return Document(rows, ".jsonl")


def _mt_bench() -> Document:
    winners = ["model_1", "model_2", "tie"]
    rows = [
        {"question_id": 80 + int(r["prompt_id"][2:]), "model_1": r["policy"], "model_2": r["reference"],
         "g1_winner": winners[i % 3], "g2_winner": winners[(i // 2) % 3], "judge": ["gpt-4", "pair-v2"], "turn": 1}
        for i, r in enumerate(_margins().to_dicts())
    ]  # fmt: skip
    return Document(rows, ".jsonl")


def _ratings() -> Rows:
    values = [1000.0 + 41.5 * k for k in range(6)]
    frame = pl.DataFrame(
        {"policy": list(POLICIES), "rating": values, "std_err": [6.0] * 6, "votes": [900] * 6}
    )
    return Rows(frame)


def _snapshots() -> Rows:
    frame = _ratings().frame.with_columns(
        pl.lit("overall").alias("category"), pl.lit("2024-12-31").alias("date")
    )
    return Rows(frame)


def _hub_board() -> Rows:
    frame = _ratings().frame.select(
        pl.col("policy").alias("model_name"),
        "rating",
        (pl.col("rating") - 12).alias("rating_lower"),
        (pl.col("rating") + 12).alias("rating_upper"),
        pl.col("votes").alias("vote_count"),
        pl.lit("overall").alias("category"),
        pl.lit("2024-12-31").str.to_date().alias("leaderboard_publish_date"),
        pl.lit("Open").alias("license"),
    )
    return Rows(frame)


def _history_board() -> Rows:
    frame = _ratings().frame.select(
        pl.int_range(1, 7).alias("rank"),
        pl.col("policy").alias("model"),
        pl.col("rating").round().cast(pl.Int64).alias("arena_score"),
        pl.lit("+5/-6").alias("95_pct_ci"),
        "votes",
    )
    return Rows(frame)


def _hub_folder() -> dict[str, Content]:
    frame = _hub_board().frame.with_columns(pl.col("leaderboard_publish_date").cast(pl.String))
    older = frame.with_columns(
        pl.lit("2024-06-30").alias("leaderboard_publish_date"), pl.col("rating_lower") - 1
    )
    parts = {"latest": frame, "full": pl.concat([older, frame])}
    return {f"text/{name}-00000-of-00001.parquet": Rows(part, (".parquet",)) for name, part in parts.items()}


def _catalog() -> Document:
    board = {
        r["policy"]: {"rating": r["rating"], "rating_q025": r["rating"] - 9, "rating_q975": r["rating"] + 9}
        for r in _ratings().frame.to_dicts()
    }
    return Document({"full": board}, ".json")


@cache
def _battles() -> pl.DataFrame:
    rng = np.random.default_rng(4)
    rows = []
    for i in range(400):
        a, b = (int(k) for k in rng.choice(6, size=2, replace=False))
        won = "a" if rng.random() < 1 / (1 + np.exp(0.5 * (b - a))) else "b"
        rows.append(
            {"policy_a": POLICIES[a], "policy_b": POLICIES[b], "winner": won if i % 5 else ("tie", "both_bad")[i % 2],
             "prompt_id": f"q-{i % 50}", "weight": 1.0, "length_a": int(rng.integers(10, 900)), "length_b": int(rng.integers(10, 900))}
        )  # fmt: skip
    return pl.DataFrame(rows)


def _arena_battles() -> Rows:
    winner = pl.col("winner").replace({"a": "model_a", "b": "model_b"})
    frame = _battles().select(
        pl.col("policy_a").alias("model_a"), pl.col("policy_b").alias("model_b"), winner,
        pl.lit(True).alias("anony"), pl.lit("human").alias("judge"),
    )  # fmt: skip
    return Rows(frame)


def _battles_with_texts() -> Rows:
    long = (
        pl.when(pl.int_range(pl.len()) % 3 == 0).then(pl.lit("# long\n- **text**")).otherwise(pl.lit("short"))
    )
    return Rows(_battles().with_columns(long.alias("response_a"), pl.lit("a text").alias("response_b")))


def _battles_in_conversations() -> Rows:
    def turns(column: str) -> pl.Expr:
        asked = pl.struct(pl.lit("user").alias("role"), pl.lit("why?").alias("content"))
        return pl.concat_list(
            asked, pl.struct(pl.lit("assistant").alias("role"), pl.col(column).alias("content"))
        )

    frame = _battles_with_texts().frame
    sides = [turns(f"response_{side}").alias(f"conversation_{side}") for side in "ab"]
    return Rows(frame.with_columns(sides).drop("response_a", "response_b"), (".parquet", ".jsonl", ".json"))


def _kaggle_battles() -> Rows:
    tie = pl.col("winner").is_in(["tie", "both_bad"])
    frame = _battles().select(
        pl.col("policy_a").alias("model_a"),
        pl.col("policy_b").alias("model_b"),
        *((pl.col("winner") == w).cast(pl.Int64).alias(f"winner_model_{w}") for w in "ab"),
        tie.cast(pl.Int64).alias("winner_tie"),
    )
    return Rows(frame)


def _responses_in_messages() -> Rows:
    turn = pl.struct(pl.lit("user").alias("role"), pl.col("prompt").alias("content"))
    frame = _responses().with_columns(pl.concat_list(turn).alias("prompt"))
    return Rows(frame, (".parquet", ".jsonl", ".json"))


def _alpaca_outputs() -> Rows:
    frame = _responses().select(
        pl.col("prompt").alias("instruction"),
        pl.col("response").alias("output"),
        pl.col("policy").alias("generator"),
    )
    return Rows(frame, (".json", ".jsonl", ".parquet"))


def _alpaca_folder() -> dict[str, Content]:
    parts = _responses().partition_by("policy", as_dict=True)
    return {
        f"{p}/model_outputs.json": Document(
            part.select(pl.col("prompt").alias("instruction"), pl.col("response").alias("output"), pl.col("policy").alias("generator")).to_dicts(),
            ".json",
        )
        for (p,), part in parts.items()
    }  # fmt: skip


def _pairs() -> pl.DataFrame:
    rows = _responses().head(60).to_dicts()
    return pl.DataFrame(
        [
            {"prompt": r["prompt"], "chosen": f"good {r['response']}", "rejected": f"bad {r['response']}",
             "chosen_policy": "oak", "rejected_policy": "reed", "margin": 0.5, "subset": "a"}
            for r in rows
        ]
    )  # fmt: skip


def _chat_pairs() -> Document:
    rows = [
        {"prompt": [{"role": "user", "content": r["prompt"]}],
         "chosen": [{"role": "assistant", "content": r["chosen"]}], "rejected": [{"role": "assistant", "content": r["rejected"]}]}
        for r in _pairs().to_dicts()
    ]  # fmt: skip
    return Document(rows, ".jsonl")


def _transcripts() -> Rows:
    start = pl.format("\n\nHuman: {}\n\nAssistant: ", "prompt")
    return Rows(_pairs().select((start + pl.col(c)).alias(c) for c in ("chosen", "rejected")))


# --- small files beside the tables ----------------------------------------------------------------


def _groups() -> Rows:
    return Rows(
        pl.DataFrame(
            {"policy": list(POLICIES), "group": ["stone", "stone", "wood", "wood", "cloth", "cloth"]}
        )
    )


def _aliases() -> Rows:
    return Rows(pl.DataFrame({"policy": list(POLICIES), "arena_name": list(POLICIES)}))


def _prompt_table() -> Rows:
    ids = [f"q-{q:02d}" for q in range(N_PROMPTS)]
    return Rows(pl.DataFrame({"prompt_id": ids, "split": ["train", "test"] * (N_PROMPTS // 2)}))


def _prompt_list() -> Text:
    return Text("".join(f"q-{q:02d}\n" for q in range(N_PROMPTS)), ".txt")


def _judge_prompt() -> Document:
    text = (resources.files("charm_rm") / "data" / "judge_prompts" / "alpaca-eval-like.toml").read_text()
    return Document(tomllib.loads(text), ".toml")


def _llmbar() -> dict[str, Content]:
    rows = [
        {"input": f"why {i}", "output_1": f"good {i}", "output_2": "bad", "label": 1 + i % 2}
        for i in range(8)
    ]
    return {
        f"LLMBar/{part}/dataset.json": Document(rows, ".json") for part in ("Natural", "Adversarial/Neighbor")
    }


def _rm_bench() -> dict[str, Content]:
    rows = [
        {
            "id": f"c{i}",
            "prompt": f"why {i}",
            "chosen": ["good", "good long", "good fine"],
            "rejected": ["bad", "bad long", "bad fine"],
        }
        for i in range(6)
    ]
    return {"chat_filtered.json": Document(rows, ".json"), "code_filtered.json": Document(rows, ".json")}


def _configuration() -> Document:
    value: dict[str, Any] = {
        "name": "fz",
        "seed": 0,
        "simulated": True,
        "responses": {
            "source": "responses.parquet",
            "policies": list(POLICIES),
            "n_prompts": 70,
            "test_fraction": 0.45,
        },
        "ratings": {"battles": "battles.parquet", "anchor": "oak=1000", "prior": 0.5},
        "score": {"scores": "scores.parquet"},
        "audit": {"draws": 0, "ties": "half", "temperature": 1.0},
        "calibrate": {"method": "pair", "over": "auto", "references": "auto", "link": "hard", "held_out": []},
        "relabel": {"strategy": "pair", "pairs_per_prompt": 4, "temperature": 1.0},
        "train": None,
        "report": {"enabled": False},
    }
    return Document(value, ".yaml")


def _tables(*frames: Callable[[], pl.DataFrame]) -> tuple[Callable[[], Content | Folder], ...]:
    return tuple(lambda make=make: Rows(make()) for make in frames)


_KINDS: dict[str, tuple[Callable[[], Content | Folder], ...]] = {
    "scores": _tables(_scores),
    "margins": _tables(_margins),
    "judgements": (_own_judgements, _probabilities, _alpaca_annotations, _alpaca_results, _arena_hard, _arena_hard_folder, _mt_bench,
                   lambda: judged.pair_rows(_margins()), lambda: judged.numbered_pairs(_margins())),
    "graded": (lambda: judged.grades(_scores()), lambda: judged.inspect_folder(_scores()), lambda: judged.inspect_archives(_scores()),
               lambda: judged.promptfoo(_scores())),
    "win_rates": (_win_rates, lambda: judged.leaderboard(_win_rates().frame)),
    "ratings": (_ratings, _ratings, _snapshots, _hub_board, _hub_folder, _history_board, _catalog),
    "battles": (*_tables(_battles), _arena_battles, _kaggle_battles),
    "text_battles": (_battles_with_texts, _battles_in_conversations),
    # Battles that say which prompt they were on: a study needs that.
    "votes": (*_tables(_battles), _battles_with_texts, _battles_in_conversations),
    "responses": (*_tables(_responses), *_tables(_responses), _responses_in_messages, _alpaca_outputs, _alpaca_folder),
    "pairs": (*_tables(_pairs), _chat_pairs, _transcripts),
    "groups": (_groups,),
    "aliases": (_aliases,),
    "prompts": (_prompt_table, _prompt_list),
    "judge_prompt": (_judge_prompt,),
    "llmbar": (_llmbar,),
    "rm_bench": (_rm_bench,),
    "configuration": (_configuration,),
    # Those that a configuration names, in the one format that it names.
    "run_scores": (lambda: Rows(_scores(), (".parquet",)),),
    "run_responses": (lambda: Rows(_responses(), (".parquet",)),),
    "run_battles": (lambda: Rows(_battles(), (".parquet",)),),
}  # fmt: skip
# Made by commands of charm, or by libraries, once for all cases.
_MADE = {
    "offsets": "offsets.parquet",
    "judge_offsets": "judge_offsets.parquet",
    "calibrator": "calibrator.json",
    "audit_folder": "audit",
    "run_folder": "run",
    "preferences": "prefs/preferences.parquet",
    "prefs_folder": "prefs",
    "store": "memo.sqlite",
    "study": "study.sqlite",
    "model": "model",
    "causal": "causal",
}


@cache
def _made(path: Path) -> Content | Folder:
    return read_folder(path) if path.is_dir() else read_content(path)
