"""What an entry of the registry demands is held against the model."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from charm_rm.models import RewardModel
from charm_rm.models.doctor.known import check_registry

from .patients import BODY, TEMPLATE

pytestmark = pytest.mark.models


def entry(**demands: Any) -> SimpleNamespace:
    silent = {"bos": None, "template": None, "max_length": None, "padding_side": None, "notes": None}
    return SimpleNamespace(**{"name": "some-rm", "source": ["https://example.org/rm"], **silent, **demands})


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
def test_demands(
    healthy: RewardModel, monkeypatch: pytest.MonkeyPatch, demands: dict[str, Any], status: str, said: str
) -> None:
    monkeypatch.setattr("charm_rm.models.doctor.known.find_known", lambda _model: entry(**demands))
    check = check_registry(healthy)
    assert check.status == status
    assert said in check.found


def test_a_model_that_nobody_knows_is_skipped(healthy: RewardModel) -> None:
    assert check_registry(healthy).status == "skipped"
