"""PPE's human preference: accuracy over decided battles, and the models' ranking against slow twins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmarks.official_layouts import by_text, write_lines, write_parquet
from charm_rm.benchmarks.ppe_human import load_ppe_human
from charm_rm.errors import SchemaError, UnreadableFile
from charm_rm.evaluate import evaluate_benchmark, swap_labels

MODELS = ("m1", "m2", "m3", "m4")
WINNERS = ("model_a", "model_b", "tie", "tie (bothbad)")
VOTES = {"model_a": 1.0, "model_b": 0.0, "tie": 0.5, "tie (bothbad)": 0.5}


def row(number: int, a: str, b: str, winner: str, **more: Any) -> dict[str, Any]:
    texts = {"response_1": f"{number} of {a}", "response_2": f"{number} of {b}"}
    return (
        {"question_id": str(number), "model_a": a, "model_b": b, "winner": winner, "prompt": f"p{number}"}
        | texts
        | more
    )


def battles(seed: int) -> tuple[list[dict[str, Any]], dict[str, float]]:
    rng = np.random.default_rng(seed)
    rows, scores = [], {}
    for n in range(90):
        a, b = rng.choice(MODELS, size=2, replace=False)
        rows.append(row(n, str(a), str(b), str(rng.choice(WINNERS, p=[0.5, 0.3, 0.1, 0.1]))))
        for side in (1, 2):
            scores[rows[-1][f"response_{side}"]] = float(rng.integers(0, 3))
    return rows, scores


def tables(rows: list[dict[str, Any]], scores: dict[str, float]) -> np.ndarray:
    """Win rates by the reward model and by people, (2, models, models), battle by battle."""
    won, met = np.zeros((2, 4, 4)), np.zeros((4, 4))
    for r in rows:
        a, b = MODELS.index(r["model_a"]), MODELS.index(r["model_b"])
        model = float(np.heaviside(scores[r["response_1"]] - scores[r["response_2"]], 0.5))
        for k, p in enumerate((model, VOTES[r["winner"]])):
            won[k, a, b] += p
            won[k, b, a] += 1 - p
        met[a, b] += 1
        met[b, a] += 1
    with np.errstate(invalid="ignore"):
        return won / met


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_rankings_are_those_of_a_slow_twin(seed: int, tmp_path: Path) -> None:
    rows, scores = battles(seed)
    write_parquet(tmp_path / "PPE-Human-Preference-V1" / "data" / "test-00000-of-00001.parquet", rows)
    benchmark = load_ppe_human(tmp_path)
    assert benchmark.notes == ("90 battles, officially 16,038",)
    result = evaluate_benchmark(by_text(scores), benchmark, draws=100)
    mine, theirs = tables(rows, scores)
    off = ~np.eye(4, dtype=bool)
    pearson = np.mean([stats.pearsonr(mine[i][off[i]], theirs[i][off[i]])[0] for i in range(4)])
    assert result.accuracy("models", "row-wise pearson") == pytest.approx(pearson)
    means = [np.nanmean(np.where(off, table, np.nan), axis=1) for table in (mine, theirs)]
    assert result.accuracy("models", "spearman") == pytest.approx(stats.spearmanr(*means)[0])
    assert result.accuracy("models", "kendall") == pytest.approx(stats.kendalltau(*means)[0])
    decided = [r for r in rows if VOTES[r["winner"]] != 0.5]
    right = [
        np.heaviside(
            (scores[r["response_1"]] - scores[r["response_2"]]) * (1 if r["winner"] == "model_a" else -1), 0.5
        )
        for r in decided
    ]
    assert result.headline == pytest.approx(np.mean(right))
    low, high = result.frame["ci_low"], result.frame["ci_high"]
    assert ((low <= result.frame["accuracy"]) & (result.frame["accuracy"] <= high)).all()


def test_two_models_have_no_ranking(tmp_path: Path) -> None:
    write_lines(tmp_path / "ppe_human.jsonl", [row(0, "x", "y", "model_b"), row(1, "y", "x", "tie")])
    benchmark = load_ppe_human(tmp_path)
    assert benchmark.subsets == {"x / y": 2}
    assert [m.name for m in benchmark.metrics] == ["accuracy"]
    assert benchmark.items[1].responses == ("1 of x", "1 of y")  # in the order of the models


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"winner": "a"}, "item 1: unknown winner 'a'"),
        ({"winner": None}, "'winner' should be text, found None"),
        ({"model_b": "x"}, "a battle of 'x' with itself"),
        ({"response_2": None}, "'response_2' should be text"),
        ({"question_id": "1"}, "id more than once"),
    ],
)
def test_wrong_battles_are_named(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    write_lines(tmp_path / "ppe_human.jsonl", [row(0, "x", "y", "tie") | change, row(1, "x", "y", "model_a")])
    with pytest.raises(SchemaError, match=message):
        load_ppe_human(tmp_path)


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="no PPE human preference files"):
        load_ppe_human(tmp_path)


def test_accuracy_turns_with_the_labels_whatever_the_rankings_read(tmp_path: Path) -> None:
    """The parts of a correlation are win rates, which have no labels to turn with."""
    rows, scores = battles(0)
    write_parquet(tmp_path / "ppe_human.parquet", rows)
    found = swap_labels(evaluate_benchmark(by_text(scores), load_ppe_human(tmp_path), draws=0))
    assert found is not None
    assert found.holds
    assert found.items == sum(r["winner"] in ("model_a", "model_b") for r in rows)
