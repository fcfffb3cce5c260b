"""What an entry of the registry demands is held against the model."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from charm_rm.models import RewardModel
from charm_rm.models.doctor.known import check_registry
from charm_rm.models.loading.registry import Entry

from .patients import BODY, TEMPLATE

pytestmark = pytest.mark.models


def entry(**demands: Any) -> Entry:
    return Entry(
        name="some-rm",
        ids=["org/some-rm"],
        source=["https://example.org/rm"],
        kind="sequence-classifier",
        **demands,
    )


@pytest.mark.parametrize(
    ("demands", "status", "said"),
    [
        ({}, "ok", "some-rm: all is as it needs"),
        ({"bos": True, "template": TEMPLATE, "max_length": 4096, "padding_side": "right"}, "ok", "all is as"),
        ({"bos": False}, "fail", "wants no BOS, and the text has one"),
        ({"template": BODY}, "fail", "template is not the one"),
        ({"max_length": 2048}, "warn", "may have 4,096 tokens, its authors' have 2,048"),
        ({"padding_side": "left"}, "warn", "padding is on the right"),
    ],
)
def test_demands(healthy: RewardModel, demands: dict[str, Any], status: str, said: str) -> None:
    check = check_registry(dataclasses.replace(healthy, entry=entry(**demands)))
    assert check.status == status
    assert said in check.found


def test_a_model_that_nobody_knows_is_skipped(healthy: RewardModel) -> None:
    assert check_registry(healthy).status == "skipped"
