"""Tasks: distinct prompts, answers that can be checked."""

from __future__ import annotations

import re

import numpy as np

from charm_rm.testbed import draw_tasks


def test_prompts_are_distinct_and_every_ask_has_an_answer_and_a_wrong_one():
    tasks = draw_tasks(400, rng=np.random.default_rng(0))
    assert len({t.prompt for t in tasks}) == 400
    for task in tasks:
        assert 2 <= len(task.asks) == len(task.answers) == len(task.slips) <= 3
        assert all(a != s for a, s in zip(task.answers, task.slips, strict=True))


def test_parts_never_share_a_prompt():
    parts = [{t.prompt for t in draw_tasks(600, rng=np.random.default_rng(0), part=k)} for k in range(3)]
    assert len(set.union(*parts)) == 3 * 600


def test_sums_and_sorting_are_right():
    checked = 0
    for task in draw_tasks(200, rng=np.random.default_rng(1)):
        if task.prompt.startswith("Work out"):
            assert [eval_sum(ask) for ask in task.asks] == [int(a) for a in task.answers]
            checked += 1
        elif task.prompt.startswith("Sort"):
            numbers = [int(x) for x in re.findall(r"\d+", task.prompt)]
            assert [int(a) for a in task.answers] == sorted(numbers)
            checked += 1
    assert checked == 100


def test_table_answers_stand_beside_their_label_in_the_prompt():
    for task in draw_tasks(200, rng=np.random.default_rng(2)):
        if ":" in task.prompt and not task.prompt.startswith("Sort"):
            for ask, answer, slip in zip(task.asks, task.answers, task.slips, strict=True):
                assert re.search(rf"\b{ask} {answer}\b", task.prompt)
                assert not re.search(rf"\b{ask} {slip}\b", task.prompt)


def eval_sum(text: str) -> int:
    a, b = text.split(" + ")
    return int(a) + int(b)
