"""Both directions of a power: fewest prompts, least effect, and what no number of prompts shows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from charm_rm.planning.designs import normal_quantile
from charm_rm.planning.search import detectable, needed
from charm_rm.statistics import normal_tail


@dataclass(frozen=True)
class Mean:
    """A z-test of a mean of unit variance, with a doubt that stays: the closed form is known."""

    doubt: float = 0.0
    largest: float = 1000.0

    def power(self, effect: float, n: float) -> float:
        error = math.sqrt((0 if math.isinf(n) else 1 / n) + self.doubt**2)
        z = normal_quantile(0.05)
        return float(1 - normal_tail(effect / error - z)) if error else float(effect > 0)


@given(st.floats(0.01, 3), st.sampled_from([0.0, 0.05]))
def test_the_fewest_prompts_are_the_textbooks(effect: float, doubt: float) -> None:
    wanted = (normal_quantile(0.05) + 0.8416212) ** 2
    left = effect**2 / wanted - doubt**2
    found = needed(Mean(doubt), effect, 0.8)
    if left <= 0:
        assert found is None
    else:
        assume(abs(1 / left - round(1 / left)) > 1e-4)
        assert found == max(2, math.ceil(1 / left))


@given(st.integers(2, 100_000), st.floats(0.5, 0.99))
def test_the_least_effect_needs_these_prompts(n: int, wanted: float) -> None:
    effect = detectable(Mean(), n, wanted)
    assert effect is not None
    assert Mean().power(effect, n) >= wanted
    assert Mean().power(effect * 0.998, n) < wanted


def test_what_cannot_be_seen() -> None:
    assert needed(Mean(doubt=1.0), 1.0, 0.8) is None
    assert detectable(Mean(largest=0.01), 10, 0.8) is None
    assert detectable(Mean(doubt=1.0), math.inf, 0.8) == pytest.approx(2.8016, rel=2e-3)
