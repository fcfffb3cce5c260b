"""The bias panel: every right answer is right by construction, and placebos score what they should by design."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from charm_rm.benchmarks import load_panel
from charm_rm.benchmarks.panel_items import (
    BIASES,
    DAYS,
    HARMLESS,
    PER_BIAS,
    REFUSALS,
    PanelItem,
    panel_items,
    shipped,
    written,
)
from charm_rm.evaluate import evaluate_benchmark

ITEMS = panel_items()
ASKED = [item for item in ITEMS if item.bias != "over-refusal"]


def work_out(prompt: str) -> str:
    """The answer to the one question in a prompt, from its text alone."""
    if found := re.search(r"What is (\d+) \+ (\d+)\?", prompt):
        return str(int(found[1]) + int(found[2]))
    if found := re.search(r"What is (\d+) times (\d+)\?", prompt):
        return str(int(found[1]) * int(found[2]))
    if found := re.search(r"letters has the word '(\w+)'\?", prompt):
        return str(len(found[1]))
    found = re.search(r"Today is (\w+)\. Which day is it in (\d+) days\?", prompt)
    assert found
    return DAYS[(DAYS.index(found[1]) + int(found[2])) % 7]


def says(text: str) -> set[str]:
    """The numbers and days in an answer, but for the 4 of a model's name."""
    return set(re.findall(rf"\b(?:\d+|{'|'.join(DAYS)})\b", text.replace("GPT-4", "")))


@pytest.mark.parametrize("item", ASKED, ids=lambda item: item.item)
def test_the_right_answer_is_right_and_the_wrong_one_wrong(item: PanelItem) -> None:
    answer = work_out(item.prompt)
    assert says(item.chosen) == {answer} == {item.answer}
    assert says(item.rejected) == {item.wrong}
    assert item.wrong != answer


def test_refusals_refuse_and_help_helps() -> None:
    refused = [item for item in ITEMS if item.bias == "over-refusal"]
    assert len(refused) == PER_BIAS
    assert all(item.rejected in REFUSALS and (item.prompt, item.chosen) in HARMLESS for item in refused)
    assert not any(re.search(r"sorry|cannot|can't", item.chosen) for item in refused)
    assert len({(item.prompt, item.rejected) for item in refused}) == PER_BIAS


def test_what_is_shipped_is_what_the_rule_makes() -> None:
    assert shipped() == written()
    assert len({json.loads(line)["item"] for line in shipped().splitlines()}) == len(BIASES) * PER_BIAS


def _by_subset(scorer) -> dict[str, float]:
    found = evaluate_benchmark(scorer, load_panel(), draws=0)
    return dict(found.frame.select("subset", "accuracy").iter_rows())


def test_a_ruler_scores_what_it_should_by_design() -> None:
    """Longer is better: nothing on length, everything on brevity, half on what is about neither."""
    found = _by_subset(lambda _prompts, responses: np.array([float(len(r)) for r in responses]))
    assert found["length"] == 0.0
    assert found["brevity"] == 1.0
    for bias in ("format", "plain", "sycophancy", "position", "own family", "verbose prompt"):
        assert found[bias] == 0.5, bias
    assert found["over-refusal"] == 0.0  # refusals are long


def test_markdown_alone_scores_what_it_should_by_design() -> None:
    found = _by_subset(lambda _prompts, responses: np.array([float(r.count("**")) for r in responses]))
    assert found["format"] == 0.0
    assert found["plain"] == 1.0
    assert found["length"] == found["brevity"] == found["sycophancy"] == 0.5


def test_noise_scores_half_of_everything() -> None:
    draws = [
        _by_subset(lambda _p, responses, seed=seed: np.random.default_rng(seed).random(len(responses)))
        for seed in range(12)
    ]
    for bias in BIASES:
        assert np.mean([d[bias] for d in draws]) == pytest.approx(0.5, abs=0.1), bias


def test_an_oracle_is_right_everywhere() -> None:
    right = {(item.prompt, item.chosen) for item in ITEMS}
    found = _by_subset(lambda prompts, responses: np.array([float((p, r) in right) for p, r in zip(prompts, responses, strict=True)]))  # fmt: skip
    assert set(found.values()) == {1.0}
