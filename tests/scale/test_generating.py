"""Generating by tasks, done here one after another: what is too long, fails or is lost is what one process makes of it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from charm_rm.errors import CharmError, ModelError, RemoteRefused, StageFailed
from charm_rm.generation import Generated, generate_responses, plan_of
from charm_rm.protocols import Answer, Prompt
from charm_rm.scale import generating
from charm_rm.scale.tasks import Lost, Task, Work, _record, _restored
from charm_rm.settings import EngineSettings, PolicySettings
from generation_fakes import FakePolicy, many_prompts, parrot, prompts_of

pytest.importorskip("ray", reason="needs the [ray] extra")
ENGINE = EngineSettings(engine="ray", ray_rows=3)
PROMPTS = pl.concat(
    [many_prompts(10), prompts_of("Question 3" + " why" * 10).with_columns(prompt_id=pl.lit("twin"))]
)


def one_by_one(work: Work, tasks: list[Task], *_more: Any, **_options: Any) -> Any:
    """What actors do, in this process; records go through JSON, too."""
    opened, done, lost = work.open(work.opening), {}, []
    for task in tasks:
        try:
            done[task["number"]] = json.loads(json.dumps(work.do(opened, json.loads(json.dumps(task)))))
        except CharmError as error:
            lost.append(Lost(task["name"], _restored(_record(error))))
    return done, lost


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch) -> FakePolicy:
    """The policy that every spec is."""
    fake = FakePolicy(streams=False)
    monkeypatch.setattr(generating, "run_tasks", one_by_one)
    monkeypatch.setattr(generating, "joined_cluster", lambda _engine: contextlib.nullcontext())
    monkeypatch.setattr(generating, "load_policy", lambda **_options: fake)
    return fake


def settings(**more: Any) -> PolicySettings:
    return PolicySettings(name="oak", spec="hf:somewhere", **{"max_tokens": 5, **more})


def by_tasks(tmp_path: Path, *policies: PolicySettings, **more: Any) -> list[Generated]:
    how = {"engine": ENGINE, "memo": tmp_path / "memo.sqlite", "progress": False} | more
    return generating.generate_by_ray(policies or [settings()], PROMPTS, tmp_path / "out", **how)


def same(left: Generated, right: Generated) -> None:
    assert left.frame.equals(right.frame)
    for name in ("asked", "known", "usage", "spent", "too_long", "failed", "models"):
        assert getattr(left, name) == getattr(right, name), name
    assert left.plan.settings == right.plan.settings


@pytest.mark.parametrize("more", [{}, {"samples": 2, "temperature": 0.5, "system": "Be brief."}])
def test_answers_and_counts_are_those_of_one_process(
    policy: FakePolicy, tmp_path: Path, more: dict[str, Any]
) -> None:
    one = settings(**more)
    (found,) = by_tasks(tmp_path, one)
    expected = generate_responses(plan_of(one, policy), PROMPTS, progress=False)
    same(found, expected)
    (again,) = by_tasks(tmp_path, one)
    assert (again.asked, again.known) == (0, expected.asked)
    assert not list(tmp_path.glob(".out.parts"))


def test_a_prompt_that_does_not_fit_is_refused_in_the_words_of_one_process_or_left_out(
    tmp_path: Path, policy: FakePolicy
) -> None:
    policy.room = 40
    policy.__post_init__()
    plan = plan_of(settings(), policy)
    with pytest.raises(ModelError) as one:
        generate_responses(plan, PROMPTS, progress=False)
    with pytest.raises(ModelError) as many:
        by_tasks(tmp_path)
    assert str(many.value) == str(one.value)
    with pytest.warns(UserWarning, match="left out: too long"):
        expected = generate_responses(plan, PROMPTS, too_long="skip", progress=False)
    with pytest.warns(UserWarning, match="left out: too long"):
        (found,) = by_tasks(tmp_path, too_long="skip", memo=tmp_path / "other.sqlite")
    same(found, expected)
    assert found.too_long > 0


def test_what_has_no_answer_is_counted_and_asked_again(policy: FakePolicy, tmp_path: Path) -> None:
    def deaf(prompt: Prompt, seed: int) -> Answer:
        return Answer("", "error") if "4" in str(prompt) else parrot(prompt, seed)

    policy.answer = deaf
    with pytest.warns(UserWarning, match="1 prompt left out: no answer"):
        (found,) = by_tasks(tmp_path)
    assert (found.failed, found.frame.height) == (1, PROMPTS.height - 1)
    policy.answer = parrot
    (found,) = by_tasks(tmp_path)
    assert (found.asked, found.failed, found.frame.height) == (1, 0, PROMPTS.height)


def test_a_part_without_any_text_is_no_policy_without_any(policy: FakePolicy, tmp_path: Path) -> None:
    policy.answer = lambda prompt, seed: Answer("") if len(str(prompt)) > 20 else parrot(prompt, seed)
    (found,) = by_tasks(tmp_path)
    assert found.frame["empty"].sum() > ENGINE.ray_rows
    policy.answer = lambda _prompt, _seed: Answer("")
    with pytest.raises(ModelError, match="all 11 answers are empty"):
        by_tasks(tmp_path, memo=tmp_path / "other.sqlite")


def test_a_server_that_refuses_is_not_asked_by_every_task(policy: FakePolicy, tmp_path: Path) -> None:
    def refuse(_prompt: Prompt, _seed: int) -> Answer:
        raise RemoteRefused("no such key", status=401, fix="set the key")

    policy.answer = refuse
    with pytest.raises(RemoteRefused, match="no such key") as found:
        by_tasks(tmp_path)
    assert found.value.exit_code == 2
    assert len(policy.calls) == 1
    with pytest.raises(StageFailed, match="2 policies of 2"):
        by_tasks(tmp_path, settings(), PolicySettings(name="elm", spec="hf:somewhere", system="Be brief."))


@pytest.mark.usefixtures("policy")
def test_an_answer_that_is_in_no_store_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the machines of a cluster have different models under one path."""
    monkeypatch.setattr(generating, "take_over", lambda *_args, **_options: None)
    with pytest.raises(StageFailed, match="10 answers"):
        by_tasks(tmp_path, engine=EngineSettings(engine="ray", ray_rows=3, ray_address="auto"))
