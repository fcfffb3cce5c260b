"""Labels, soft labels, the ledger, and bad input."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.errors import CharmWarning, ConfigError, NoOverlap, NotIdentifiable, UnknownPolicy
from charm_rm.relabel import STRATEGIES, Relabelled, relabel_preferences
from charm_rm.tables import Offsets, Responses, Scores
from simulated_offsets import scores_of


def responses_of(scores: Scores, **texts: str) -> Responses:
    """A text of its own for every scored row; ``texts`` overrides by ``policy_prompt``."""
    frame = scores.frame.select(
        "prompt_id",
        "policy",
        pl.concat_str(pl.lit("Say "), "prompt_id").alias("prompt"),
        pl.concat_str("policy", "prompt_id", separator="_").alias("response"),
    )
    return Responses(frame.with_columns(pl.col("response").replace(texts)))


def offsets_of(deltas: dict[str, float], references: str = "B") -> Offsets:
    columns = ("std_err", "ci_low", "ci_high", "target", "attained")
    frame = pl.DataFrame({"policy": list(deltas), "delta": list(deltas.values())})
    return Offsets(
        frame.with_columns(
            pl.col("policy").is_in(list(references)).alias("is_reference"),
            *[pl.lit(None, dtype=pl.Float64).alias(c) for c in columns],
        )
    )


def relabel(scores: Scores, offsets: Offsets, responses: Responses | None = None, **more: Any) -> Relabelled:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        return relabel_preferences(scores, responses or responses_of(scores), offsets, **more)


def test_by_hand() -> None:
    # Raw margins of A over B: 3 stays won, 1 turns, 2 becomes a tie, -1 stays lost, 5 has equal texts.
    scores = scores_of({"A": [3, 1, 2, -1, 5], "B": [0, 0, 0, 0, 0]})
    responses = responses_of(scores, A_p0004="same", B_p0004="same")
    found = relabel(scores, offsets_of({"A": -2.0, "B": 0.0}), responses, temperature=2.0)
    assert found.ledger.rows() == [("A", "B", 5, 2, 1, 1, 1)]
    assert found.ledger.columns == ["policy", "reference", "pairs", "kept", "flipped", "tied", "dropped"]
    rows = found.preferences.frame.to_dicts()
    assert [r["chosen_policy"] for r in rows] == ["A", "B", "B"]
    assert [r["rejected_policy"] for r in rows] == ["B", "A", "A"]
    assert [r["margin"] for r in rows] == [1.0, 1.0, 3.0]
    assert [r["flipped"] for r in rows] == [False, True, False]
    assert rows[1]["p_chosen"] == pytest.approx(1 / (1 + np.exp(-0.5)))
    assert rows[1]["prompt"] == [{"role": "user", "content": "Say p0001"}]
    assert rows[1]["chosen"] == [{"role": "assistant", "content": "B_p0001"}]
    assert rows[1]["rejected"] == [{"role": "assistant", "content": "A_p0001"}]


def test_a_raw_tie_has_no_label_to_turn() -> None:
    found = relabel(scores_of({"A": [0.0], "B": [0.0]}), offsets_of({"A": 1.0, "B": 0.0}))
    assert found.ledger.rows() == [("A", "B", 1, 1, 0, 0, 0)]
    assert found.preferences.frame["flipped"].to_list() == [False]


def test_chat_prompts_stay_as_they_are() -> None:
    scores = scores_of({"A": [1.0], "B": [0.0]})
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    frame = responses_of(scores).frame.with_columns(pl.Series("prompt", [chat, chat]))
    found = relabel(scores, offsets_of({"A": 0.5, "B": 0.0}), Responses(frame))
    assert found.preferences.frame["prompt"].to_list() == [chat]


def test_each_calibrated_policy_meets_each_reference() -> None:
    scores = scores_of({"A": [1], "B": [2], "C": [3], "D": [4], "Z": [9]})
    offsets = offsets_of({"A": 0.1, "B": 0.0, "C": 0.0, "D": 0.1}, references="BC")
    found = relabel(scores, offsets)
    assert found.ledger.select("policy", "reference").rows() == [
        ("A", "B"),
        ("A", "C"),
        ("D", "B"),
        ("D", "C"),
    ]


def test_policies_and_prompts_can_be_chosen() -> None:
    scores = scores_of({"A": [1, 2, 3], "B": [2, 3, 4], "C": [3, 4, 5]})
    offsets = offsets_of({"A": 0.5, "B": 0.0, "C": 0.5})
    found = relabel(scores, offsets, strategy="all-pairs", policies=["A", "C"], prompts=["p0001"])
    assert found.ledger.select("policy", "reference", "pairs").rows() == [("A", "C", 1)]
    assert found.preferences.frame["prompt_id"].to_list() == ["p0001"]


# --- properties ---------------------------------------------------------------------------------

quarters = st.integers(-12, 12).map(lambda i: i / 4)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Scores, Responses, dict[str, float]]:
    n = draw(st.integers(1, 6))
    columns = {p: draw(st.lists(quarters | st.none(), min_size=n, max_size=n)) for p in "ABCD"}
    columns["A"][0], columns["B"][0] = 1.0, 0.0
    scores = scores_of(columns)
    texts = draw(st.lists(st.sampled_from("uvw"), min_size=len(scores), max_size=len(scores)))
    responses = responses_of(scores)
    frame = responses.frame.with_columns(pl.Series("response", texts))
    deltas = {p: draw(quarters) for p in "ABCD"}
    return scores, Responses(frame), deltas


@given(cases(), st.sampled_from(STRATEGIES), quarters)
def test_properties(case: tuple[Scores, Responses, dict[str, float]], strategy: Any, shift: float) -> None:
    scores, responses, deltas = case
    try:
        found = relabel(scores, offsets_of(deltas), responses, strategy=strategy, seed=3)
    except NotIdentifiable:
        return
    ledger, frame = found.ledger, found.preferences.frame
    parts = ledger.select("kept", "flipped", "tied", "dropped").sum_horizontal()
    assert (parts == ledger["pairs"]).all()
    assert frame.height == ledger["kept"].sum() + ledger["flipped"].sum()
    assert frame["flipped"].sum() == ledger["flipped"].sum()
    score = dict(
        zip(scores.frame.select("prompt_id", "policy").iter_rows(), scores.frame["score"], strict=True)
    )
    for r in frame.iter_rows(named=True):
        won, lost = r["chosen_policy"], r["rejected_policy"]
        raw = score[r["prompt_id"], won] - score[r["prompt_id"], lost]
        assert r["margin"] == raw + deltas[won] - deltas[lost] > 0
        assert r["flipped"] == (raw < 0)
        assert r["chosen"] != r["rejected"]
        assert 0.5 < r["p_chosen"] <= 1
    moved = relabel(
        scores,
        offsets_of({p: d + shift for p, d in deltas.items()}),
        responses,
        strategy=strategy,
        seed=3,
    )
    assert moved.preferences.frame.equals(frame)
    assert moved.ledger.equals(ledger)


# --- bad input ----------------------------------------------------------------------------------

SCORES = scores_of({"A": [1, 2], "B": [2, 1]})


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"strategy": "tournament"}, ConfigError, "tournament"),
        ({"temperature": 0.0}, ConfigError, "above 0"),
        ({"strategy": "sampled", "k": 0}, ConfigError, "k is 0"),
        ({"policies": ["A", "Bee"]}, UnknownPolicy, "'Bee' has no scores"),
        ({"policies": ["A"], "strategy": "sampled"}, NoOverlap, "two policies"),
        ({"prompts": ["elsewhere"]}, NoOverlap, "two policies"),
    ],
)
def test_bad_settings_are_named(settings: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        relabel(SCORES, offsets_of({"A": 1.0, "B": 0.0}), **settings)


def test_pair_needs_a_reference() -> None:
    with pytest.raises(ConfigError, match="no reference"):
        relabel(SCORES, offsets_of({"A": 1.0, "B": 0.0}, references=""))


def test_nothing_but_ties_is_refused() -> None:
    with pytest.raises(NotIdentifiable, match="every pair is a tie"):
        relabel(scores_of({"A": [1.0], "B": [0.0]}), offsets_of({"A": -1.0, "B": 0.0}))


def test_scores_without_response_are_counted() -> None:
    some = Responses(responses_of(SCORES).frame.head(3))
    with pytest.warns(CharmWarning, match="1 of 4 scores have no response"):
        found = relabel_preferences(SCORES, some, offsets_of({"A": 0.5, "B": 0.0}))
    assert found.ledger["pairs"].to_list() == [1]


def test_policies_without_offset_are_named() -> None:
    with pytest.warns(CharmWarning, match="no offset for 'A'"):
        relabel_preferences(SCORES, responses_of(SCORES), offsets_of({"B": 0.0}), strategy="all-pairs")


@pytest.mark.parametrize("size", [1e-300, 1e154, 1e300])
def test_labels_do_not_depend_on_the_size_of_the_scores(size: float) -> None:
    """A product of two margins would vanish or overflow; NumPy's warnings are errors here."""
    values = {"A": [3.0, 1.0, 2.0, 0.0], "B": [0.0, 2.0, 1.0, 3.0]}
    ledgers = []
    for factor in (1.0, size):
        scores = scores_of({name: [v * factor for v in column] for name, column in values.items()})
        texts = Responses(
            scores.frame.select("prompt_id", "policy").with_columns(
                pl.lit("q").alias("prompt"), pl.col("policy").alias("response")
            )
        )
        frame = pl.DataFrame(
            {"policy": ["A", "B"], "delta": [-2.0 * factor, 0.0], "is_reference": [False, True]}
        )
        empty = (
            pl.lit(None, dtype=pl.Float64).alias(c)
            for c in ("std_err", "ci_low", "ci_high", "target", "attained")
        )
        ledgers.append(relabel_preferences(scores, texts, Offsets(frame.with_columns(*empty))).ledger)
    assert ledgers[0].equals(ledgers[1])
    assert ledgers[0]["flipped"].to_list() == [1]
