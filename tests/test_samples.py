"""Several samples of a policy on a prompt: the key, reading, choosing, who refuses, and verbs that keep each sample apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import charm_rm
from charm_rm.best_of import best_samples
from charm_rm.errors import ConfigError, ReadingNote, SchemaError, SeveralSamples
from charm_rm.features import measure_features
from charm_rm.judging import plan_pairs
from charm_rm.kinds import load_table
from charm_rm.offsets import solve_joint_offsets
from charm_rm.relabel import relabel_preferences
from charm_rm.responses import load_responses, sample_instructions, split_prompts
from charm_rm.samples import choose_sample, has_samples, sample_counts, say_samples
from charm_rm.scores import load_scores
from charm_rm.settings import TableSettings
from charm_rm.store import load, save
from charm_rm.tables import Offsets, Ratings, Responses, Scores

ROWS = [
    (p, k, s, f"{k} says {p} {'again ' * s}".strip(), {"a": 1.0, "b": 2.0, "c": 0.0}[k] + 0.25 * s)
    for p in ("p1", "p2")
    for k in ("a", "b", "c")
    for s in range(3 if k == "b" else 2)
]
FRAME = pl.DataFrame(ROWS, schema=["prompt_id", "policy", "sample", "response", "score"], orient="row")
SCORES = Scores(FRAME.drop("response"))
RESPONSES = Responses(FRAME.drop("score").with_columns(prompt=pl.concat_str(pl.lit("Say "), "prompt_id")))
RATINGS = Ratings(
    pl.DataFrame({"policy": ["a", "b", "c"], "rating": [1000.0, 1100.0, 950.0], "std_err": 5.0})
)


class Counting:
    """A reward that is the number of words, which counts what it is asked."""

    source = fingerprint = "words"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, prompts: Any, responses: Any) -> list[float]:
        self.asked += responses
        return [float(len(r.split())) for r in responses]


def scoring() -> Any:
    pytest.importorskip("torch", reason="needs the [hf] extra")
    from charm_rm.models import score_responses

    return score_responses


def test_the_key_has_the_sample_where_there_is_one() -> None:
    with pytest.raises(SchemaError, match=r"\(prompt_id, policy\) is not unique"):
        Scores(SCORES.frame.drop("sample"))
    with pytest.raises(SchemaError, match=r"\(prompt_id, policy, sample\) is not unique"):
        Scores(SCORES.frame.with_columns(sample=0))
    with pytest.raises(SchemaError, match="sample is below 0"):
        Scores(SCORES.frame.with_columns(sample=pl.col("sample") - 1))
    with pytest.raises(SchemaError, match="'sample' should hold a whole number"):
        Responses(RESPONSES.frame.with_columns(sample=pl.format("s{}", "sample")))
    with pytest.raises(SchemaError, match="sample is missing"):
        Scores(SCORES.frame.with_columns(sample=pl.when(pl.col("sample") > 0).then("sample")))


def test_counts_are_said() -> None:
    counts = sample_counts(SCORES)
    assert counts == {"least": 2, "most": 3, "mean": pytest.approx(14 / 6)}
    assert say_samples(counts) == "2 to 3 samples of a policy on a prompt (mean 2.3)"
    assert say_samples({"least": 2, "most": 2, "mean": 2.0}) == "2 samples of each policy on each prompt"
    assert not has_samples(choose_sample(SCORES, "first"))


@pytest.mark.parametrize(("how", "plus"), [("first", 0.0), ("max", 0.25), ("mean", 0.125)])
def test_one_of_several_is_chosen(how: Any, plus: float) -> None:
    found = choose_sample(SCORES, how).frame.filter(policy="a")
    assert found["score"].to_list() == [1 + plus, 1 + plus]
    assert ("sample" in found.columns) == (how != "mean")  # a mean is of no one response
    assert choose_sample(SCORES, how).provenance["sample"] == how


def test_responses_have_no_scores_to_choose_by() -> None:
    with pytest.raises(ConfigError, match="no scores to take the max of"):
        choose_sample(RESPONSES, "max")
    assert choose_sample(RESPONSES, "first").frame["sample"].unique().to_list() == [0]


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_a_file_of_several_samples_needs_a_choice(tmp_path: Path, suffix: str) -> None:
    path = save(SCORES, tmp_path / f"s.{suffix}")
    with pytest.raises(SeveralSamples, match=r"(?s)up to 3.*--sample first.*--sample all"):
        load_scores(path)
    with pytest.warns(ReadingNote, match="kept all samples, up to 3 of a policy on a prompt, 2 at the least"):
        found = load_scores(path, sample="all")
    key = ["prompt_id", "policy", "sample"]
    assert found.frame.select(*key, "score").sort(key).equals(SCORES.frame.select(*key, "score").sort(key))


def test_rows_are_numbered_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = save(Scores(SCORES.frame), tmp_path / "s.csv")
    path.write_text(
        "\n".join(",".join(line.split(",")[:2] + line.split(",")[3:]) for line in path.read_text().split())
    )
    assert path.read_text().startswith("prompt_id,policy,score")
    with pytest.warns(ReadingNote, match="kept all samples"):
        found = load_scores(path, sample="all")
    assert found.frame.sort("prompt_id", "policy", "sample").equals(SCORES.frame.select(found.frame.columns).sort("prompt_id", "policy", "sample"))  # fmt: skip


def test_a_seed_tells_nothing_apart_where_there_is_one_response(tmp_path: Path) -> None:
    """A column that is read as samples is left out where each policy has one response: responses have no such column."""
    path = tmp_path / "s.csv"
    path.write_text("prompt_id,policy,score,seed\n1,a,0.5,42\n1,b,0.25,42\n")
    with pytest.warns(ReadingNote):
        assert load_scores(path).frame.columns == ["prompt_id", "policy", "score"]


def test_responses_keep_their_samples(tmp_path: Path) -> None:
    path = save(RESPONSES, tmp_path / "r.parquet")
    assert load_responses(path).frame.equals(RESPONSES.frame)
    bare = load_responses(save(Responses(RESPONSES.frame), tmp_path / "r.csv"))
    assert bare.frame["sample"].to_list() == RESPONSES.frame["sample"].to_list()
    without_ids = charm_rm.responses.as_responses(RESPONSES.frame.drop("prompt_id"), samples=True)
    assert without_ids.frame["prompt_id"].n_unique() == 2
    assert len(sample_instructions(RESPONSES, n=1)) == 7
    train, test = split_prompts(RESPONSES, test_fraction=0.5)
    assert (len(train), len(test)) == (7, 7)
    chosen = load_table(path, kind="responses", table=TableSettings(sample="first"))
    assert len(chosen) == 6


def test_scoring_and_features_keep_the_sample() -> None:
    score_responses = scoring()
    model = Counting()
    scores = score_responses(model, RESPONSES, progress=False)
    assert scores.frame.select("prompt_id", "policy", "sample").equals(RESPONSES.frame.select("prompt_id", "policy", "sample"))  # fmt: skip
    assert scores.frame["score"].to_list() == [3.0 + s for _, _, s, _, _ in ROWS]
    assert len(model.asked) == len(ROWS)
    features = measure_features(RESPONSES, features=["words"])
    assert features.features == ["words"]
    assert features.frame.select("prompt_id", "policy", "sample").equals(RESPONSES.frame.select("prompt_id", "policy", "sample"))  # fmt: skip


def test_a_score_that_is_not_finite_names_its_sample() -> None:
    score_responses = scoring()

    class Broken(Counting):
        def __call__(self, prompts: Any, responses: Any) -> list[float]:
            return [float("nan") if "again again" in r else 0.0 for r in responses]

    with pytest.raises(charm_rm.errors.ModelError, match=r"\(p1, b, 2\)"):
        score_responses(Broken(), RESPONSES, progress=False)


OFFSETS = Offsets(
    pl.DataFrame(
        {"policy": ["a", "b", "c"], "delta": [0.0, -1.5, 0.0], "is_reference": [True, False, False]}
    ).with_columns(
        pl.lit(None, dtype=pl.Float64).alias(c)
        for c in ("std_err", "ci_low", "ci_high", "target", "attained")
    )
)


def test_offsets_move_every_sample() -> None:
    moved = charm_rm.apply_offsets(SCORES, OFFSETS).frame
    gap = (moved["score"] - SCORES.frame["score"]).to_list()
    assert gap == [-1.5 if k == "b" else 0.0 for _, k, *_ in ROWS]
    assert moved["sample"].equals(SCORES.frame["sample"])


def relabelled(strategy: Any, **more: Any) -> list[tuple[Any, ...]]:
    found = relabel_preferences(SCORES, RESPONSES, OFFSETS, strategy=strategy, **more)
    names = ("prompt_id", "chosen_policy", "chosen_sample", "rejected_policy", "rejected_sample", "margin")
    for row in found.preferences.frame.iter_rows(named=True):
        for side in ("chosen", "rejected"):
            told = RESPONSES.frame.row(
                by_predicate=(pl.col("prompt_id") == row["prompt_id"])
                & (pl.col("policy") == row[f"{side}_policy"])
                & (pl.col("sample") == row[f"{side}_sample"]),
                named=True,
            )
            assert row[side][0]["content"] == told["response"]
    return sorted(found.preferences.frame.select(names).rows())


def test_each_sample_is_a_candidate() -> None:
    """Calibrated: a 1, 1.25; b 0.5, 0.75, 1; c 0, 0.25. Every sample against every sample of another policy, never of its own."""
    found = [row for row in relabelled("all-pairs") if row[0] == "p1"]
    value = {(k, s): {"a": 1.0, "b": 0.5, "c": 0.0}[k] + 0.25 * s for p, k, s, *_ in ROWS if p == "p1"}
    wanted = sorted(
        ("p1", k, s, q, t, value[k, s] - value[q, t]) for k, s in value for q, t in value if k != q and value[k, s] > value[q, t]
    )  # fmt: skip
    assert found == wanted
    assert (
        len(wanted) == 2 * 3 + 2 * 2 + 3 * 2 - 1
    )  # a's first and b's last are equal: a tie, which no pair is made of


def test_best_and_worst_are_of_two_policies() -> None:
    assert relabelled("best-vs-worst")[0] == ("p1", "a", 1, "c", 0, 1.25)


def test_the_calibrated_pair_meets_with_all_its_samples() -> None:
    found = relabelled("pair", policies=["a", "b"])
    assert {(k, q) for _, k, _, q, _, _ in found} == {("a", "b")}
    assert len(found) == 2 * (2 * 3 - 1)


def test_sampled_pairs_are_of_two_policies() -> None:
    found = relabelled("sampled", k=100)
    assert found == relabelled("all-pairs")


def test_the_ledger_counts_by_policy() -> None:
    ledger = relabel_preferences(SCORES, RESPONSES, OFFSETS, strategy="all-pairs").ledger
    assert ledger.select("policy", "reference", "pairs").rows() == [
        ("a", "b", 12),
        ("a", "c", 8),
        ("b", "c", 12),
    ]


@pytest.mark.parametrize(
    "verb",
    [
        lambda: solve_joint_offsets(SCORES, RATINGS),
        lambda: charm_rm.pair_margins(SCORES),
        lambda: charm_rm.compare_favour(SCORES, SCORES, RATINGS),
        lambda: charm_rm.solve_style_offsets(SCORES, choose_sample(RESPONSES, "first"), RATINGS),
        lambda: plan_pairs(RESPONSES),
    ],
)
def test_verbs_that_compare_one_response_refuse_several(verb: Callable[[], Any]) -> None:
    with pytest.raises(SeveralSamples, match=r"(?s)up to 3.*--sample first"):
        verb()


def test_responses_must_say_which_sample_a_score_is_of() -> None:
    bare = choose_sample(RESPONSES, "first")
    with pytest.raises(ConfigError, match="no column 'sample'"):
        relabel_preferences(SCORES, Responses(bare.frame.drop("sample")), OFFSETS, strategy="all-pairs")


def test_one_chosen_sample_finds_its_text() -> None:
    """Scores of best-of-n keep which sample they are of, and labels are of that text."""
    best = choose_sample(SCORES, "max")
    found = relabel_preferences(best, RESPONSES, OFFSETS, strategy="best-vs-worst")
    said = {row[0]["content"] for row in found.preferences.frame["chosen"].to_list()}
    assert said == {"a says p1 again", "a says p2 again"}


def test_saved_and_loaded(tmp_path: Path) -> None:
    assert load(Scores, save(SCORES, tmp_path / "s.parquet")).frame.equals(SCORES.frame)


def test_the_best_of_n_is_a_response() -> None:
    best = best_samples(RESPONSES, SCORES)
    assert [(p, k, s) for p, k, s in best.frame.select("prompt_id", "policy", "sample").iter_rows()] == [
        (p, k, 2 if k == "b" else 1) for p in ("p1", "p2") for k in "abc"
    ]
    even = Scores(SCORES.frame.with_columns(score=0.0))
    assert best_samples(RESPONSES, even).frame["sample"].unique().to_list() == [0]
    with pytest.raises(SchemaError, match="scores: no column 'sample'"):
        best_samples(RESPONSES, Scores(choose_sample(SCORES, "first").frame.drop("sample")))
    with pytest.raises(charm_rm.errors.NoOverlap, match="3 of 6 best responses"):
        best_samples(Responses(RESPONSES.frame.filter(prompt_id="p1")), SCORES)
