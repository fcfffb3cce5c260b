"""One list of head names, for modules, for checkpoints and for their keys."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from charm_rm.models.loading.head_names import NAMES, SAVED, find_head, find_saved_head, is_head_key


def checkpoint(*keys: str) -> Any:
    return SimpleNamespace(keys=frozenset(keys))


def module(**heads: Any) -> Any:
    return SimpleNamespace(**heads)


def test_a_module_is_asked_for_each_name_our_own_first() -> None:
    full, empty = (SimpleNamespace(parameters=lambda n=n: iter(range(n))) for n in (2, 0))
    assert find_head(module()) is None
    assert find_head(module(score=empty)) is None
    for name in (n for n in NAMES if "." not in n):
        assert find_head(module(**{name: full})) is full
    other = SimpleNamespace(parameters=lambda: iter(range(1)))
    assert find_head(module(reward_head=full, score=other, classifier=other)) is full
    assert find_head(module(score=empty, classifier=other)) is other


@pytest.mark.parametrize("name", SAVED)
def test_a_saved_head_is_found_by_its_own_name(name: str) -> None:
    assert find_saved_head(checkpoint("model.embed.weight", f"{name}.weight")) == name
    assert is_head_key(f"{name}.weight")


@pytest.mark.parametrize("usual", ["score.weight", "classifier.dense.weight", "classification_head.out.bias"])
def test_transformers_own_names_go_first(usual: str) -> None:
    assert find_saved_head(checkpoint("v_head.weight", usual)) is None
    assert is_head_key(usual)


def test_two_candidates_are_no_finding_and_a_backbone_has_none() -> None:
    assert find_saved_head(checkpoint("v_head.weight", "rm_head.weight")) is None
    assert find_saved_head(checkpoint("model.layers.0.mlp.weight")) is None
    assert not is_head_key("model.layers.0.score.weight")
