"""Which side lost text, by policy; and what comes to the same tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charm_rm.models import RewardModel
from charm_rm.models.doctor.truncation import length_checks, what_was_cut
from charm_rm.models.scoring.encoding import ResponseEncoder

from .. import conftest as words_of

pytestmark = pytest.mark.models


def words(kind: str, n: int) -> str:
    return " ".join(f"{kind}{i}" for i in range(n))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 100), st.integers(0, 100), st.integers(20, 60))
def test_the_side_that_lost_text(
    make_tokenizer: Callable[..., Any], n_prompt: int, n_response: int, limit: int
) -> None:
    tokenizer = make_tokenizer(words_of.TURNS)
    prompt, response = words("p", n_prompt), words("r", n_response)
    seen = ResponseEncoder(tokenizer, limit).encode(prompt, response)
    whole = ResponseEncoder(tokenizer, 10_000).encode(prompt, response)
    if not seen.truncated:
        return
    kept = tokenizer.decode(seen.input_ids).split()
    lost = {
        kind: n - sum(w.startswith(kind) for w in kept) for kind, n in (("p", n_prompt), ("r", n_response))
    }
    cut = what_was_cut(seen, whole, n_response)
    assert cut.response == (lost["r"] > 0)
    assert cut.prompt == (lost["p"] > 0) or lost["p"] <= 3


def test_truncation_is_told_by_policy_and_side(healthy: RewardModel) -> None:
    encoder = ResponseEncoder(healthy.encoder.tokenizer, 120)
    frame = pl.DataFrame(
        {
            "prompt_id": ["q", "q", "s", "s"],
            "prompt": ["Why?", "Why?", "Because. " * 40, "Because. " * 40],
            "policy": ["wordy", "brief", "wordy", "brief"],
            "response": ["So it is. " * 30, "So.", "So it is. " * 30, "So."],
        }
    )
    truncation, identical = length_checks(type(healthy)(**{**vars(healthy), "encoder": encoder}), frame)
    assert truncation.status == "warn"
    assert truncation.data["policies"] == [
        {"policy": "wordy", "n": 2, "any": 1.0, "prompt": 0.5, "response": 1.0},
        {"policy": "brief", "n": 2, "any": 0.5, "prompt": 0.5, "response": 0.0},
    ]
    assert identical.status == "ok"


def test_identical_without_truncation_is_said_apart(healthy: RewardModel, make_tokenizer: Any) -> None:
    encoder = ResponseEncoder(make_tokenizer(words_of.TURNS), 120)
    frame = pl.DataFrame(
        {"prompt_id": ["q"] * 2, "prompt": ["p1"] * 2, "policy": ["a", "b"], "response": ["r1 r2", "r1  r2"]}
    )
    check = length_checks(type(healthy)(**{**vars(healthy), "encoder": encoder}), frame)[1]
    assert check.data == {"pairs": 1, "identical": 1, "identical_by_truncation": 0}
    assert "template or tokenizer leaves out" in str(check.fix)
