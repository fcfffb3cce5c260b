"""Commands killed outright: given again, they end with the very files of an undisturbed run, and leave nothing else behind.

Long commands die at 20 random moments each (``CHARM_KILLS``), short ones at exact file-system events: ``test_events.py``. What may
lie there after a kill is the old output or the new one, whole.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from charm_rm import store
from judge_fakes import many_responses
from kills.plans import Outcome, Plan, judge, kill

Charm = Callable[..., Result]
Tell = Callable[[str], None]
KILLS = int(os.environ.get("CHARM_KILLS", "20"))
CORE = ("numpy", "scipy.optimize", "scipy.stats", "rich.progress", "rich.table", "charm_rm.pipeline.graph")
_MODELS = (
    *("torch", "transformers.models.bert.modeling_bert", "charm_rm.models.scoring.reward"),
    *("trl", "peft", "datasets", "charm_rm.models.training.trainer", "charm_rm.models.training.train"),
)


@pytest.fixture(scope="module")
def long(inputs: Path, rm: Path, config: Path) -> dict[str, Plan]:
    """Commands that work for a while, and keep what they have."""
    responses, pairs = inputs / "responses.parquet", inputs / "pairs.parquet"
    score = ("score", responses, "--rm", rm, "--token-budget", 1000, "--unchecked", "--device", "cpu")
    train = ("train", pairs, "--rm", rm, "-o", "out", "--lr", "1e-3", "--batch-size", 8)
    train += ("--eval-fraction", 0.25, "--epochs", 4)
    evaluate = ("evaluate", "--rm", rm, "--pairs", inputs / "true_pairs.parquet", "--draws", 100)
    evaluate += ("--scores", inputs / "scores.parquet", "--ratings", inputs / "ratings.parquet")
    slow: dict[str, Any] = {"hook": "kills.hooks:slow_batches"}
    plans = {
        "score": Plan((*score, "-o", "scores.parquet"), "scores.parquet", whole=("scores.parquet",), **slow),
        "score --no-cache": Plan(
            (*score, "--no-cache", "--policy", "oak", "--policy", "reed", "-o", "scores.csv"),
            "scores.csv", whole=("scores.csv",), kills=KILLS // 2, **slow,
        ),
        "train": Plan(train, "out", again=(*train, "--resume"), whole=("out",)),
        "evaluate": Plan(
            (*evaluate, "--device", "cpu", "-o", "evaluation"), "evaluation", whole=("evaluation",), **slow
        ),
        "run": Plan(
            ("run", config, "-o", "small"), None, differs=RUN,
            whole=("small/model", "small/offsets.parquet", "small/before/scores.parquet", "small/evaluation"),
            again_later=("small/model/README.md",),  # the card: the audit of the new scores is added to it
        ),
    }  # fmt: skip
    return {name: replace(plan, preload=(*CORE, *_MODELS)) for name, plan in plans.items()}


def _without_times(manifest: bytes) -> Any:
    """A manifest but for when its stages ran, and how long they took."""
    content = json.loads(manifest)
    for record in content["stages"].values():
        del record["started"], record["seconds"]
    return content


# A run's own memory: its last process; times of stages; and for the files that it has hashed, when they were written.
RUN = {
    "small/.lock": lambda content: bytes.isdigit(content.strip()),
    "small/manifest.json": _without_times,
    "small/.hashes.json": lambda content: {name: (seen[0], seen[-1]) for name, seen in json.loads(content).items()},
}  # fmt: skip


@pytest.fixture(scope="module")
def killed(long: dict[str, Plan], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    return kill(long, tmp_path_factory.mktemp("long"))


@pytest.mark.slow
@pytest.mark.models
@pytest.mark.parametrize("name", ["score", "score --no-cache", "train", "evaluate", "run"])
def test_at_random_moments(long: dict[str, Plan], killed: dict[str, Outcome], tell: Tell, name: str) -> None:
    plan, outcome = long[name], killed[name]
    assert len(outcome.kills) == plan.kills
    assert outcome.late >= plan.kills / 4, "most kills came before the work"
    judge(plan, outcome)
    tell(words(name, outcome))


@pytest.mark.slow
@pytest.mark.models
@pytest.mark.parametrize("name", ["score", "score --no-cache", "evaluate"])
def test_what_was_scored_is_not_scored_again(killed: dict[str, Outcome], name: str) -> None:
    """A kill loses the batch under way: that one alone is begun again."""
    outcome = killed[name]
    whole = _noted(outcome, "undisturbed")
    assert len(set(whole)) == len(whole)
    for round_ in outcome.rounds:
        batches = _noted(outcome, round_)
        assert set(batches) == set(whole)
        assert len(batches) - len(whole) <= sum(kill["round"] == round_ for kill in outcome.kills)


def _noted(outcome: Outcome, round_: str) -> list[str]:
    return (outcome.folder / round_ / "noted.txt").read_text().split()


def words(name: str, outcome: Outcome) -> str:
    where = (
        f"at random moments of {outcome.seconds:.1f} s, in {len(outcome.rounds)} rounds"
        if outcome.events is None
        else f"at {len(outcome.kills)} of {outcome.events} file-system events"
    )
    return f"kills of charm {name}: {len(outcome.kills)} {where}; {outcome.late} after it had begun to write"


@pytest.mark.parametrize(("kills", "prompts"), [(3, 4), pytest.param(KILLS, 12, marks=pytest.mark.slow)])
def test_a_judge_is_paid_for_nothing_twice(tmp_path: Path, tell: Tell, kills: int, prompts: int) -> None:
    """The judge is a server: it counts what it is asked, and a kill loses no more than the answers under way."""
    pytest.importorskip("httpx", reason="needs the [api] extra")
    from remote.fault_server import FaultServer
    from remote.malice import chat

    responses = store.save(many_responses(prompts), tmp_path / "responses.parquet")
    with FaultServer(lambda asked: replace(chat(asked), delay=0.004)).running() as server:
        command = (
            "judge",
            responses,
            "--judge",
            "openai:m",
            "--base-url",
            f"{server.url}/v1",
            "--concurrency",
            2,
        )
        plan = Plan(
            (*command, "-o", "margins.parquet"), "margins.parquet", whole=("margins.parquet",), kills=kills,
            preload=(*CORE, "charm_rm.cli.judge", "charm_rm.judging", "charm_rm.remote.openai_chat"),
        )  # fmt: skip
        outcome = kill({"judge": plan}, tmp_path / "judge")["judge"]
        # A kill may cut a request short: headers without a body.
        questions = {json.dumps(asked.body["messages"]) for asked in server.asked if asked.body}
    judge(plan, outcome)
    rounds = len(outcome.rounds) + 1
    assert len(questions) == 2 * 3 * prompts
    # Two are asked at once, and two more may be answered while the last answer is being kept.
    assert 0 <= len(server.asked) - rounds * len(questions) <= 4 * kills
    tell(words("judge", outcome))


@pytest.mark.slow
def test_a_benchmark_asks_a_function_for_no_score_twice(inputs: Path, tmp_path: Path, tell: Tell) -> None:
    """Model and baseline are the same function, the model asked twice: each run of it scores each text once, whatever was killed."""
    from charm_rm.models.scoring.responses import CHUNK_SIZE

    rm = "python:kills.hooks:slow_reward"
    plan = Plan(
        (
            *("evaluate", "--rm", rm, "--baseline", rm, "--own", inputs / "true_pairs.parquet", "--panel"),
            *("--placebos", "--repeats", 2, "--draws", 100, "-o", "evaluation"),
        ),
        "evaluation", whole=("evaluation",), kills=max(3, KILLS * 2 // 5),
        preload=(*CORE, "charm_rm.cli.evaluate", "charm_rm.pipeline.stages.evaluate", "charm_rm.report.evaluation"),
    )  # fmt: skip
    outcome = kill({"evaluate": plan}, tmp_path / "evaluate")["evaluate"]
    judge(plan, outcome)
    assert outcome.late >= plan.kills / 4, "most kills came before the work"
    whole = Counter(_noted(outcome, "undisturbed"))
    assert set(whole.values()) == {2}
    for round_ in outcome.rounds:
        asked = Counter(_noted(outcome, round_))
        assert asked.keys() == whole.keys()
        # A kill loses the chunk under way.
        killed = sum(kill["round"] == round_ for kill in outcome.kills)
        assert (asked - whole).total() <= killed * CHUNK_SIZE
        assert not whole - asked
    tell(words("evaluate a function", outcome))


@pytest.mark.parametrize(("kills", "prompts"), [(3, 6), pytest.param(KILLS, 20, marks=pytest.mark.slow)])
def test_a_policy_is_paid_for_nothing_twice(tmp_path: Path, tell: Tell, kills: int, prompts: int) -> None:
    """Two policies behind a server that counts: a kill loses no more than the answers under way."""
    pytest.importorskip("httpx", reason="needs the [api] extra")
    from remote.fault_server import FaultServer
    from remote.malice import chat

    responses = store.save(many_responses(prompts), tmp_path / "responses.parquet")
    with FaultServer(lambda asked: replace(chat(asked), delay=0.004)).running() as server:
        spec = f"openai:m@{server.url}/v1"
        command = (
            *("generate", responses, "--policy", f"one={spec}", "--policy", f"two={spec}"),
            *("--temperature", 1, "--samples", 2, "--concurrency", 2),
        )
        plan = Plan(
            (*command, "-o", "answers"), "answers", whole=("answers",), kills=kills,
            preload=(*CORE, "charm_rm.cli.generate", "charm_rm.generation", "charm_rm.remote.policies"),
        )  # fmt: skip
        outcome = kill({"generate": plan}, tmp_path / "generate")["generate"]
        asked = [
            json.dumps(one.body, sort_keys=True) for one in server.asked if one.body and one.method == "POST"
        ]
    judge(plan, outcome)
    rounds = len(outcome.rounds) + 1
    assert len(set(asked)) == 2 * 2 * prompts
    # Two are asked at once, and two more may be answered while the last answer is being kept.
    assert 0 <= len(asked) - rounds * len(set(asked)) <= 4 * kills
    tell(words("generate", outcome))
