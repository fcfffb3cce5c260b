"""What lies between two ways to the same scores is named: activations, scale, sign, precision, other text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.models.doctor.check import Check
from charm_rm.models.doctor.parity import check_parity

SCORES = np.random.default_rng(0).normal(0.4, 1.3, 64)


def compared(other: np.ndarray, reference: np.ndarray = SCORES) -> Check:
    return check_parity(reference, other, [f"text {i}" for i in range(len(reference))], name="there")


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        (lambda s: s + 1e-4, "ok", "the same scores"),
        (sigmoid, "fail", "gives the sigmoid of the scores"),
        (lambda s: np.round(sigmoid(s), 3), "fail", "gives the sigmoid of the scores"),
        (np.ones_like, "fail", "1 for every text: a softmax over one output"),
        (lambda s: 2 * s - 3, "warn", "2 times the scores -3: a straight line apart"),
        (lambda s: -s, "fail", "-1 times the scores +0 with the sign turned"),
        (lambda s: s + 0.7, "warn", "the scores +0.7: win rates within it are the same"),
        (lambda s: s * (1 + 0.05 * np.sin(np.arange(64))), "warn", "what another precision does"),
        (np.tanh, "fail", "its numbers are bent: an activation was applied"),
        (lambda s: np.roll(s, 1), "fail", "reads other text or has another head"),
    ],
)
def test_the_difference_is_named(change: Callable[[np.ndarray], np.ndarray], status: str, says: str) -> None:
    found = compared(change(SCORES))
    assert found.status == status
    assert says in found.found
    assert (found.fix is None) == (status == "ok")


@given(slope=st.floats(0.1, 50), shift=st.floats(-50, 50))
def test_a_straight_line_is_never_taken_for_something_else(slope: float, shift: float) -> None:
    found = compared(slope * SCORES + shift)
    assert found.status in ("ok", "warn")
    assert abs(slope - 1) < 0.02 or f"{slope:.4g} times the scores" in found.found


def test_the_texts_that_differ_most_are_shown() -> None:
    other = np.where(np.arange(64) == 17, SCORES + 40, np.roll(SCORES, 3))
    assert "'text 17'" in compared(other).details[0]


@pytest.mark.parametrize("reference", [np.zeros(64), SCORES[:5]])
def test_too_little_to_compare_is_skipped(reference: np.ndarray) -> None:
    assert compared(reference + 1, reference).status == "skipped"


@pytest.mark.models
def test_the_doctor_compares_a_model_with_another_way_to_its_scores(
    charm: Callable[..., object], tiny_rm_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "served.py").write_text(
        "import numpy as np\nfrom charm_rm.models import load_reward_model\n"
        f"model = load_reward_model({str(tiny_rm_dir)!r})\n"
        "def raw(prompts, responses):\n    return list(model(prompts, responses))\n"
        "def squashed(prompts, responses):\n    return list(1 / (1 + np.exp(-model(prompts, responses))))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    command = ("doctor", "--rm", tiny_rm_dir, "--quick", "--json", "--against")
    same = charm(*command, "python:served:raw")
    assert '"against"' in same.stdout  # type: ignore[attr-defined]
    assert "gives the same scores" in same.stdout  # type: ignore[attr-defined]
    other = charm(*command, "python:served:squashed")
    assert other.exit_code == 1  # type: ignore[attr-defined]
    assert "gives the sigmoid of the scores" in other.stdout  # type: ignore[attr-defined]
