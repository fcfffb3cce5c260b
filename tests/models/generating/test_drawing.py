"""Drawing tokens: the distribution, the seed of each row, the texts that end an answer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.errors import ModelError
from charm_rm.models.generating.drawing import Drawing, cut_at, draw, probabilities

pytestmark = pytest.mark.models
torch = pytest.importorskip("torch", reason="needs the [hf] extra")

LOGITS = st.lists(st.floats(-20, 20), min_size=1, max_size=12)


def slow_probabilities(logits: list[float], temperature: float, top_p: float) -> list[float]:
    """One row, token by token."""
    top = max(logits)
    weights = [math.exp((x - top) / temperature) for x in logits]
    p = [w / sum(weights) for w in weights]
    kept, sum_before = [0.0] * len(p), 0.0
    for i in sorted(range(len(p)), key=lambda i: (-p[i], i)):
        if top_p >= 1 or sum_before < top_p:
            kept[i] = p[i]
        sum_before += p[i]
    return kept


@given(LOGITS, st.floats(0.1, 3), st.sampled_from([0.01, 0.5, 0.9, 1.0]))
def test_probabilities_against_a_slow_twin(logits: list[float], temperature: float, top_p: float) -> None:
    found = probabilities(torch.tensor([logits], dtype=torch.float64), temperature=temperature, top_p=top_p)[
        0
    ]
    expected = slow_probabilities(logits, temperature, top_p)
    # Where a sum meets top_p to the last bit, either is right.
    close = [
        math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12) for a, b in zip(found.tolist(), expected, strict=True)
    ]
    assert sum(not ok for ok in close) <= 1


@given(LOGITS, st.floats(0, 1, exclude_max=True))
def test_a_draw_is_the_first_token_beyond_the_number(weights: list[float], uniform: float) -> None:
    p = torch.tensor([weights], dtype=torch.float64).softmax(-1)
    (token,) = draw(p, torch.tensor([uniform], dtype=torch.float64)).tolist()
    ends = p[0].cumsum(-1)
    assert p[0, token] > 0
    assert ends[token] > uniform * ends[-1] or token == len(weights) - 1
    assert token == 0 or ends[token - 1] <= uniform * ends[-1]


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    """4,000 rows with a seed each: frequencies within five standard errors."""
    n, logits = 4000, torch.tensor([0.0, 1.0, 2.0, -30.0])
    drawing = Drawing(list(range(n)), temperature=0.5, top_p=1.0, max_tokens=1, where="x")
    tokens = drawing(None, logits.repeat(n, 1)).argmax(-1).numpy()
    p = np.exp(np.array([0, 2, 4])) / np.exp(np.array([0, 2, 4])).sum()
    counts = np.bincount(tokens, minlength=4)
    assert counts[3] == 0
    np.testing.assert_array_less(np.abs(counts[:3] / n - p), 5 * np.sqrt(p * (1 - p) / n))


def test_a_row_draws_the_same_whatever_its_company() -> None:
    logits = torch.randn(5, 50, generator=torch.Generator().manual_seed(0))

    def drawn(rows: list[int]) -> list[list[int]]:
        drawing = Drawing([100 + r for r in rows], temperature=1.0, top_p=0.9, max_tokens=3, where="x")
        steps = [drawing(None, logits[rows] + step).argmax(-1).tolist() for step in range(3)]
        return [list(row) for row in zip(*steps, strict=True)]

    together = drawn([0, 1, 2, 3, 4])
    assert [drawn([row])[0] for row in range(5)] == together
    assert drawn([3, 1]) == [together[3], together[1]]


def test_what_is_not_finite_is_refused() -> None:
    drawing = Drawing([0], temperature=0.0, top_p=1.0, max_tokens=1, where="my-model")
    with pytest.raises(ModelError, match="not finite"):
        drawing(None, torch.tensor([[0.0, torch.nan]]))


def test_texts_end_at_the_first_of_their_ends() -> None:
    assert cut_at("one END two STOP", ("STOP", "END")) == ("one ", True)
    assert cut_at("one", ("STOP",)) == ("one", False)
    assert cut_at("STOP", ("STOP",)) == ("", True)
