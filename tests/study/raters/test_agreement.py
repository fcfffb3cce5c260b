"""Agreement of raters: alpha against a slow twin, pairs against a loop, nulls where nothing can be told, and coverage."""

from __future__ import annotations

import sys
from collections import Counter
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.errors import MissingExtra, SchemaError
from charm_rm.study.raters.agreement import inter_rater, krippendorff_alpha, pair_variance, pairwise_agreement
from charm_rm.study.raters.pairs import first_votes, vote_pairs
from study.vote_worlds import study_of, votes_on

LABELS = ("a", "b", "tie", "both_bad")
tables = st.dictionaries(
    st.sampled_from([f"c{i}" for i in range(8)]),
    st.dictionaries(st.sampled_from("uvwxy"), st.sampled_from(LABELS), min_size=1),
    min_size=1,
)


def _alpha_twin(table: dict[str, dict[str, str]]) -> float | None:
    """1 − (n − 1) Σ_c≠k o_ck / Σ_c≠k n_c n_k by the coincidence matrix, as Krippendorff writes it; None where it is 0/0."""
    coincidences: Counter[tuple[str, str]] = Counter()
    for votes in table.values():
        labels = list(votes.values())
        for i, one in enumerate(labels):
            for j, other in enumerate(labels):
                if i != j:
                    coincidences[one, other] += 1 / (len(labels) - 1)  # type: ignore[assignment]
    by_label: Counter[str] = Counter()
    for (one, _), n in coincidences.items():
        by_label[one] += n
    n = sum(by_label.values())
    off = sum(v for (one, other), v in coincidences.items() if one != other)
    chance = sum(by_label[c] * by_label[k] for c in by_label for k in by_label if c != k)
    return None if len(by_label) < 2 else 1 - (n - 1) * off / chance


@given(tables)
def test_alpha_is_krippendorffs(table: dict[str, dict[str, str]]) -> None:
    pytest.importorskip("nltk", reason="needs the [study] extra")
    found = krippendorff_alpha(first_votes(votes_on(table)), groups=2)
    wanted = _alpha_twin(table)
    assert (found.estimate is None) == (wanted is None)
    if found.estimate is not None and wanted is not None:
        assert found.estimate.value == pytest.approx(wanted, abs=1e-12)


def test_krippendorffs_own_example() -> None:
    """Krippendorff (2011), *Computing Krippendorff's Alpha-Reliability*, C: nominal data, two observers, 4 values; his figure is 0.692."""
    pytest.importorskip("nltk", reason="needs the [study] extra")
    one, other = list("aabbdcccedda"), list("babbbccceddd")
    votes = pl.DataFrame(
        {
            "comparison_id": [str(i) for i in range(12)] * 2,
            "prompt_id": [str(i) for i in range(12)] * 2,
            "rater": ["x"] * 12 + ["y"] * 12,
            "winner": one + other,
        }
    )
    found = krippendorff_alpha(votes, groups=12).estimate
    assert found is not None
    assert found.value == pytest.approx(0.692, abs=5e-4)
    held_out = [_alpha_twin({str(i): {"x": one[i], "y": other[i]} for i in range(12) if i != j}) for j in range(12)]  # fmt: skip
    jackknife = np.sqrt(11 / 12 * np.sum((np.array(held_out) - np.mean(held_out)) ** 2))  # type: ignore[arg-type]
    assert found.std_err == pytest.approx(jackknife)


@given(tables, st.booleans())
def test_pairs_of_raters_against_a_loop(table: dict[str, dict[str, str]], decided: bool) -> None:
    y = {"a": 1.0, "b": 0.0, "tie": 0.5, "both_bad": 0.5}
    total = weight = 0.0
    for votes in table.values():
        pairs = list(combinations(votes.values(), 2))
        for one, other in pairs:
            if decided and 0.5 in (y[one], y[other]):
                continue
            total += (y[one] * y[other] + (1 - y[one]) * (1 - y[other])) / len(pairs)
            weight += 1 / len(pairs)
    found = pairwise_agreement(vote_pairs(first_votes(votes_on(table))), decided=decided).estimate
    assert (found is None) == (weight == 0)
    if found is not None:
        assert found.value == pytest.approx(total / weight)
        if found.ci_low is not None and found.ci_high is not None:
            assert 0 <= found.ci_low <= found.value + 1e-12
            assert found.value - 1e-12 <= found.ci_high <= 1


def test_comparisons_count_for_the_candidates_they_stand_for() -> None:
    """A disputed comparison that was chosen for certain, and an agreed one that stands for nine: agreement is 0.9, not 0.5."""
    comparisons = [
        {"comparison_id": "disputed", "inclusion": 1.0},
        {"comparison_id": "agreed", "inclusion": 1 / 9},
    ]
    rows = [("disputed", "u", "a"), ("disputed", "v", "b"), ("agreed", "u", "a"), ("agreed", "v", "a"), ("agreed", "w", "a")]  # fmt: skip
    votes = [{"comparison_id": c, "rater": r, "winner": w} for c, r, w in rows]
    found = pairwise_agreement(vote_pairs(first_votes(study_of(comparisons, votes)))).estimate
    assert found is not None
    assert found.value == pytest.approx(0.9)


def test_without_a_second_rater_nothing_is_told() -> None:
    table = inter_rater(votes_on({"c1": {"u": "a"}, "c2": {"v": "b"}}))
    assert table["value"].to_list() == [None] * 4
    assert table["n_comparisons"].to_list() == [0] * 4


def test_full_agreement_on_one_answer_is_no_alpha_of_one() -> None:
    """All said a: nltk would give alpha 1, and it is 0/0. The pairs agree for certain, which an interval does not overstate."""
    table = inter_rater(votes_on({f"c{i}": {"u": "a", "v": "a"} for i in range(10)}))
    assert table["value"].to_list() == [None, None, 1.0, 1.0]
    low = table["ci_low"][2]
    assert 0.6 < low < 0.8  # Wilson's of 10 of 10 is 0.72


def test_without_nltk_the_pip_command_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "nltk"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "nltk", None)
    with pytest.raises(
        MissingExtra, match=r"(?s)agreement of raters needs nltk.*pip install \"\.\[study\]\""
    ) as caught:
        inter_rater(votes_on({"c1": {"u": "a", "v": "b"}, "c2": {"u": "a", "v": "a"}}))
    assert caught.value.exit_code == 2


def test_repeats_and_checks_are_no_second_opinion() -> None:
    comparisons = [{"comparison_id": "c"}, {"comparison_id": "k", "kind": "check", "inclusion": None, "expected": "a"}]  # fmt: skip
    rows = [("c", "u", "a", False), ("c", "u", "b", True), ("k", "u", "a", False), ("k", "v", "b", False)]
    votes = [{"comparison_id": c, "rater": r, "winner": w, "repeat": again} for c, r, w, again in rows]
    assert inter_rater(study_of(comparisons, votes))["n_comparisons"].to_list() == [0] * 4


def test_a_vote_on_no_comparison_is_refused() -> None:
    study = study_of([{"comparison_id": "c"}], [{"comparison_id": "d", "rater": "u", "winner": "a"}])
    with pytest.raises(SchemaError, match="does not have: 'd'"):
        inter_rater(study)


def test_raters_who_share_pairs_widen_the_variance() -> None:
    """With rater x who disagrees with all, what pairs share through x is counted; prompts alone would hide it."""
    rater, other = zip(*combinations(range(4), 2), strict=True)
    n = 40
    agree = np.tile([0.0 if 3 in pair else 1.0 for pair in zip(rater, other, strict=True)], n)
    influence = (agree - agree.mean()) / len(agree)
    prompt = np.repeat(np.arange(n), 6)
    variance, df = pair_variance(influence, prompt, np.tile(rater, n), np.tile(other, n))
    assert variance > 0.01  # every prompt says the same: clustered by prompt it would be 0
    assert df < 4


@pytest.mark.slow
def test_intervals_of_pairs_cover() -> None:
    """95 % intervals of the agreement of pairs: careful raters of different skill, drawn anew each time; of alpha by groups of prompts."""
    pytest.importorskip("nltk", reason="needs the [study] extra")
    rng = np.random.default_rng(7)
    truth = 0.8**2 + 0.2**2  # of two independent skills with mean 0.8
    runs, covered, alpha_covered = 300, 0, 0
    for run in range(runs):
        study = votes_on(_skilled(rng, raters=12, comparisons=120))
        votes = first_votes(study)
        found = pairwise_agreement(vote_pairs(votes)).estimate
        assert found is not None
        assert found.ci_low is not None
        assert found.ci_high is not None
        covered += found.ci_low <= truth <= found.ci_high
        if run < 100:
            alpha = krippendorff_alpha(votes, groups=10).estimate
            assert alpha is not None
            assert alpha.ci_low is not None
            assert alpha.ci_high is not None
            alpha_covered += alpha.ci_low <= 2 * truth - 1 <= alpha.ci_high
    assert 0.91 <= covered / runs <= 0.99
    assert alpha_covered / 100 >= 0.88


def _skilled(rng: np.random.Generator, *, raters: int, comparisons: int) -> dict[str, dict[str, str]]:
    """Two of the raters on each comparison; a rater names the better answer with a probability of her own, 0.7 to 0.9."""
    skill = rng.uniform(0.7, 0.9, raters)
    table = {}
    for i in range(comparisons):
        right = "ab"[int(rng.integers(2))]
        wrong = "ab".replace(right, "")
        pair = rng.choice(raters, 2, replace=False)
        table[f"c{i}"] = {f"r{k}": right if rng.random() < skill[k] else wrong for k in pair}
    return table
