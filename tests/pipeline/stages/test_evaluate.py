"""One path for models of every kind: asked once, one at a time, kept in a store."""

from __future__ import annotations

import gc
import json
import warnings
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import benchmark_fakes
from charm_rm.benchmarks import Benchmark, Item, good_and_bad, mean_of_subsets
from charm_rm.benchmarks.rules import best_is_good, best_is_good_or_shares
from charm_rm.errors import CharmWarning, ConfigError, ModelError
from charm_rm.evaluate import evaluate_benchmark
from charm_rm.mismatch import METRICS
from charm_rm.pipeline import Config, run_pipeline
from charm_rm.pipeline.stages import evaluate as stage
from charm_rm.pipeline.stages.evaluate import Contestant, evaluate_models, load_benchmarks
from charm_rm.settings import EvaluateSettings

HOW: dict[str, Any] = {"draws": 100, "seed": 1, "progress": False}
REWARD = Contestant("python:benchmark_fakes:reward")
OTHER = Contestant("python:benchmark_fakes:other_reward")
JUDGE = Contestant("python:benchmark_fakes:judge", "judge")


@pytest.fixture(autouse=True)
def nothing_asked_yet() -> None:
    benchmark_fakes.CALLS.update(reward=0, judge=0)


def ragged(n: int = 30, tie: float = 0.5, **more: Any) -> Benchmark:
    """Items of one or two good and two or three bad responses; no two texts alike."""
    items = tuple(
        good_and_bad(
            str(i),
            "s",
            more.get("prompt", f"question {i}"),
            [f"good {i}.{j}" for j in range(1 + i % 2)],
            [f"bad {i}.{j}" for j in range(2 + i % 3 // 2)],
        )
        for i in range(n)
    )
    metrics = (
        mean_of_subsets("s", "pairs", [["s"]]),
        mean_of_subsets("s", "best", [["s"]], best_is_good),
        mean_of_subsets("s", "best, ties share", [["s"]], best_is_good_or_shares),
    )
    return Benchmark(more.get("name", "ragged"), items, metrics, tie)


def texts(benchmark: Benchmark) -> int:
    return sum(len(item.responses) for item in benchmark.items)


def test_rewards_are_asked_as_by_hand() -> None:
    benchmark = ragged()
    found = evaluate_models([benchmark], REWARD, **HOW)
    by_hand = evaluate_benchmark(benchmark_fakes.reward, benchmark, draws=100, seed=1)
    assert found.results[0].frame.equals(by_hand.frame)
    assert found.truncated == {"rm": {"ragged": 0}}
    assert benchmark_fakes.CALLS["reward"] == 2 * texts(benchmark)


def test_a_judge_of_the_same_opinion_has_the_same_figures() -> None:
    """It is asked for every pair in both orders, once, though three rules read some of them."""
    benchmark = ragged()
    by_judge = evaluate_models([benchmark], JUDGE, **HOW).results[0]
    by_reward = evaluate_models([benchmark], REWARD, **HOW).results[0]
    assert by_judge.frame.equals(by_reward.frame)
    asked = sum(len(i.responses) * (len(i.responses) - 1) for i in benchmark.items)
    assert benchmark_fakes.CALLS["judge"] == asked


def test_a_judge_is_asked_only_for_what_the_rules_read() -> None:
    benchmark = ragged()
    evaluate_models([replace(benchmark, metrics=benchmark.metrics[:2])], JUDGE, **HOW)
    assert benchmark_fakes.CALLS["judge"] == 2 * sum(len(i.best) * len(i.others) for i in benchmark.items)


@pytest.mark.parametrize("tie", [0.0, 0.5])
def test_a_judge_of_positions_ties_everything_by_the_benchmarks_rule(tie: float) -> None:
    first = Contestant("python:benchmark_fakes:first_judge", "judge")
    result = evaluate_models([ragged(tie=tie)], first, **HOW).results[0]
    assert result.accuracy("s", "pairs") == tie
    row = result.frame.row(0, named=True)
    assert row["ties"] == row["comparisons"]


@pytest.mark.parametrize("tie", [0.0, 0.5])
def test_verdicts_in_both_orders_count_as_published(tie: float) -> None:
    """Pairwise benchmarks for judges add up the verdicts of two games, each -1, 0 or 1; a sum of 0 is a tie."""
    items = tuple(good_and_bad(str(i), "s", f"q {i}", [f"good {i}"], [f"bad {i}"]) for i in range(200))
    benchmark = Benchmark("pairs", items, (mean_of_subsets("s", "accuracy", [["s"]]),), tie)
    moody = Contestant("python:benchmark_fakes:moody_judge", "judge")
    found = evaluate_models([benchmark], moody, **HOW).results[0].accuracy("s")
    credit = []
    for item in items:
        good, bad = item.responses
        games = [
            2 * float(benchmark_fakes.moody_judge([item.prompt], [a], [b])[0]) - 1
            for a, b in ((good, bad), (bad, good))
        ]
        total = games[0] - games[1]
        credit.append(1.0 if total > 0 else tie if total == 0 else 0.0)
    assert np.mean([c == tie for c in credit]) > 0.2
    assert found == pytest.approx(np.mean(credit))


def test_no_verdict_counts_as_lost_and_is_counted() -> None:
    pairs = [("fine", "bad"), ("what?", "bad"), ("good", "really?"), ("hey!", "there")]
    items = tuple(good_and_bad(str(i), "s", f"q {i}", [a], [b]) for i, (a, b) in enumerate(pairs))
    benchmark = Benchmark("pairs", items, (mean_of_subsets("s", "accuracy", [["s"]]),), 0.5)
    silent = Contestant("python:benchmark_fakes:silent_judge", "judge")
    with pytest.warns(CharmWarning, match="5 of 8 answers held no verdict"):
        result = evaluate_models([benchmark], silent, **HOW).results[0]
    assert result.unanswered == 2
    outcomes = [scored.table.item() for scored in result.scored]
    assert outcomes[1:3] == [0.0, 0.0]
    # One order alone is taken for the other.
    whole = evaluate_models([benchmark], JUDGE, **HOW).results[0]
    ties = sum(whole.scored[i].margins[0, 1] == 0 for i in (0, 3))
    assert result.frame["ties"].to_list() == [ties]
    assert [outcomes[0], outcomes[3]] == [whole.scored[0].table.item(), whole.scored[3].table.item()]
    assert any("held no verdict" in note for note in result.warnings)


def test_a_judge_may_answer_items_of_several_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi."}]
    seen: list[Any] = []

    def judge(prompts: Sequence[Any], first: Sequence[str], second: Sequence[str]) -> np.ndarray:
        seen.extend(prompts)
        return np.array([float(a > b) for a, b in zip(first, second, strict=True)])

    monkeypatch.setattr(benchmark_fakes, "judge", judge)
    items = (good_and_bad("1", "s", chat, ["b"], ["a"]), good_and_bad("2", "s", "text", ["b"], ["a"]))
    benchmark = Benchmark("chat", items, (mean_of_subsets("s", "accuracy", [["s"]]),), 0.5)
    assert evaluate_models([benchmark], JUDGE, **HOW).results[0].accuracy("s") == 1.0
    assert chat in seen
    assert [{"role": "user", "content": "text"}] in seen


def test_a_judge_against_a_reward_model() -> None:
    benchmarks = [ragged(), ragged(name="again", n=10)]
    found = evaluate_models(benchmarks, JUDGE, OTHER, **HOW)
    alone = evaluate_models(benchmarks, OTHER, **HOW)
    assert set(found.truncated) == {"rm", "baseline"}
    for result, other in zip(found.results, alone.results, strict=True):
        assert result.frame["baseline_accuracy"].to_list() == other.frame["accuracy"].to_list()
        assert result.frame["p_value"].null_count() == 0


# --- the store ------------------------------------------------------------------------------------


@pytest.mark.parametrize("contestant", [REWARD, JUDGE], ids=["reward", "judge"])
def test_a_second_run_asks_nothing(contestant: Contestant, tmp_path: Path) -> None:
    benchmarks = [ragged(), ragged(name="again", n=40)]
    first = evaluate_models(benchmarks, contestant, memo=tmp_path / "memo", **HOW)
    assert sum(benchmark_fakes.CALLS.values()) > 0
    benchmark_fakes.CALLS.update(reward=0, judge=0)
    second = evaluate_models(benchmarks, contestant, memo=tmp_path / "memo", **HOW)
    assert benchmark_fakes.CALLS == {"reward": 0, "judge": 0}
    for one, other in zip(first.results, second.results, strict=True):
        assert one.frame.equals(other.frame)


def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    benchmarks = [ragged(n=20), ragged(name="again", n=100)]
    (tmp_path / "stop").write_text("")
    monkeypatch.setenv("CHARM_TEST_STOP", str(tmp_path / "stop"))
    contestant = Contestant("python:benchmark_fakes:stopping_reward")
    with pytest.raises(KeyboardInterrupt):
        evaluate_models(benchmarks, contestant, memo=tmp_path / "memo", **HOW)
    before = benchmark_fakes.CALLS["reward"]
    assert 100 <= before < texts(benchmarks[1])
    (tmp_path / "stop").unlink()
    found = evaluate_models(benchmarks, contestant, memo=tmp_path / "memo", **HOW)
    # The first benchmark's items are among the second's: each text is scored once, over both runs.
    assert benchmark_fakes.CALLS["reward"] == texts(benchmarks[1])
    whole = evaluate_models(benchmarks, contestant, **HOW)
    assert found.results[1].frame.equals(whole.results[1].frame)


# --- one model at a time --------------------------------------------------------------------------


def test_one_model_is_in_memory_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    alive: list[weakref.ref[Any]] = []
    asked: list[str] = []

    class Model:
        def __init__(self, source: str) -> None:
            assert not any(one() for one in alive), "the one before is still there"
            self.source = self.fingerprint = source
            self.itself = self  # a circle, as models have them
            alive.append(weakref.ref(self))

        def __call__(self, prompts: Sequence[Any], responses: Sequence[str]) -> np.ndarray:
            asked.append(self.source)
            return benchmark_fakes.reward(prompts, responses)

    monkeypatch.setattr(stage, "load_scorer", lambda spec, **_options: Model(spec))
    gc.disable()
    try:
        evaluate_models([ragged(), ragged(name="b")], Contestant("one"), Contestant("two"), **HOW)
    finally:
        gc.enable()
    assert asked == sorted(asked, key=["one", "two"].index)
    assert len(alive) == 2


def test_every_kind_is_opened_by_its_spec_with_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def loader(kind: str) -> Any:
        def load(spec: str, **options: Any) -> Any:
            seen.append((kind, spec, options))
            raise ModelError("stop here")

        return load

    for kind in ("scorer", "judge"):
        monkeypatch.setattr(stage, f"load_{kind}", loader(kind))
    contestants = [
        Contestant("dpo:./policy,./reference", options={"beta": 0.1}),
        Contestant("vllm:http://localhost:8000", options={"api_key_env": "KEY"}),
        Contestant("pair:./ranker", "judge", {"dtype": "float16"}),
        Contestant("openai:some-model", "judge", {"prompt": "arena-hard-like"}),
    ]
    for contestant in contestants:
        with pytest.raises(ModelError, match="stop here"):
            evaluate_models([ragged()], contestant, **HOW)
    assert seen == [
        ("scorer", "dpo:./policy,./reference", {"beta": 0.1}),
        ("scorer", "vllm:http://localhost:8000", {"api_key_env": "KEY"}),
        ("judge", "pair:./ranker", {"dtype": "float16"}),
        ("judge", "openai:some-model", {"prompt": "arena-hard-like"}),
    ]


# --- which benchmarks -----------------------------------------------------------------------------


def test_benchmarks_and_pairs_are_loaded_and_sampled(tmp_path: Path) -> None:
    folder = tmp_path / "Natural"
    folder.mkdir()
    rows = [{"input": f"q {i}", "output_1": "a", "output_2": "b", "label": 1} for i in range(9)]
    (folder / "dataset.json").write_text(json.dumps(rows))
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text(
        "\n".join(json.dumps({"prompt": f"p{i}", "chosen": "a", "rejected": "b"}) for i in range(7))
    )
    settings = EvaluateSettings(benchmarks=("llmbar",), data=str(tmp_path), pairs=str(pairs), limit=3)
    assert [(b.name, len(b.items)) for b in load_benchmarks(settings)] == [("llmbar", 3), ("pairs", 3)]
    with pytest.raises(ConfigError, match="need a folder"):
        load_benchmarks(EvaluateSettings(benchmarks=("llmbar",)))
    with pytest.raises(ConfigError, match="'llmbar' named twice"):
        load_benchmarks(EvaluateSettings(benchmarks=("llmbar", "llmbar"), data=str(tmp_path)))


def test_an_empty_response_is_a_response() -> None:
    items = (Item("1", "s", "p", ("", "word"), (0.0, 1.0)),)
    benchmark = Benchmark("b", items, (mean_of_subsets("s", "accuracy", [["s"]]),), 0.5)
    for contestant in (REWARD, JUDGE):
        assert len(evaluate_models([benchmark], contestant, **HOW).results) == 1


# --- the stage of a run ---------------------------------------------------------------------------


def test_a_run_evaluates_its_model_and_counts_what_was_cut(
    configure: Callable[..., Config], tmp_path: Path
) -> None:
    """A function as the reward model: benchmarks and pairs beside alignment, by the path of the command."""
    natural = tmp_path / "data" / "Natural"
    natural.mkdir(parents=True)
    rows = [{"input": f"q {i}", "output_1": f"a {i}", "output_2": f"b {i}", "label": 1} for i in range(9)]
    (natural / "dataset.json").write_text(json.dumps(rows))
    pairs = tmp_path / "pairs.jsonl"
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi."}]
    pairs.write_text(
        "\n".join(json.dumps({"prompt": turns, "chosen": f"a {i}", "rejected": f"b {i}"}) for i in range(7))
    )
    config = configure(
        score={"scores": None},
        rm={"model": "python:benchmark_fakes:reward"},
        calibrate=None,
        evaluate={"benchmarks": ["llmbar"], "data": str(tmp_path / "data"), "pairs": str(pairs)},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)  # the reward is noise: underpowered
        ran = run_pipeline(config, tmp_path / "out", progress=False)
    assert "evaluate" in ran.ran
    found = json.loads((tmp_path / "out" / "evaluation" / "evaluation.json").read_text())
    assert [(one["benchmark"], one["items"]) for one in found["benchmarks"]] == [("llmbar", 9), ("pairs", 7)]
    assert found["provenance"]["truncated"] == {"rm": {"llmbar": 0, "pairs": 0}}
    assert [row["metric"] for row in found["alignment"]] == list(METRICS)
    assert not list((tmp_path / "out").glob(".evaluation*"))
    page = (tmp_path / "out" / "evaluation" / "evaluation.html").read_text()
    assert all(says in page for says in ("python:benchmark_fakes:reward", "llmbar", "pairs"))
    assert str(tmp_path) not in page
    by_command = evaluate_models(
        load_benchmarks(config.evaluate), REWARD, draws=config.audit.draws, seed=config.seed, progress=False
    )
    for mine, saved in zip(by_command.results, found["benchmarks"], strict=True):
        metrics = [{k: v for k, v in row.items() if k != "saturation"} for row in saved["metrics"]]
        assert mine.frame.drop("benchmark").to_dicts() == metrics
