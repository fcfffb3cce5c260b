"""The explanation as a file, and in words."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from charm_rm import store
from charm_rm.errors import SchemaError, UnknownPolicy
from charm_rm.style import Explanation, explanation_words, read_explanation, write_explanation


def row(
    policy: str, kind: str, part: str, elo: float, low: float | None, high: float | None
) -> dict[str, object]:
    return {
        "policy": policy,
        "kind": kind,
        "part": part,
        "group": "markdown" if kind == "feature" else None,
        "elo": elo,
        "std_err": 5.0,
        "ci_low": low,
        "ci_high": high,
        "difference": 1.0 if kind == "feature" else None,
        "weight": -0.5 if kind == "feature" else None,
        "held_out": True,
    }


FOUND = Explanation(
    pl.DataFrame(
        [
            row("SimPO", "favour", "favour", 260, 200, 310),
            row("SimPO", "style", "style", 165, 100, 230),
            row("SimPO", "unexplained", "unexplained", 95, 40, None),
            row("SimPO", "group", "markdown", 110, 60, 160),
            row("SimPO", "group", "length", 40, 0, 80),
            row("SimPO", "group", "tone", 15, 0, 30),
            row("SimPO", "feature", "bold", 110, 60, 160),
        ]
    ),
    provenance={"verb": "explain_favour"},
    summary={"r_squared": [{"value": 0.5}]},
)


def test_words_say_what_adds_up() -> None:
    assert explanation_words(FOUND, "SimPO") == (
        "SimPO +260 Elo [+200, +310]: markdown +110, length +40, tone +15, unexplained +95 [+40, open)"
    )
    assert explanation_words(FOUND, "SimPO", top=1) == (
        "SimPO +260 Elo [+200, +310]: markdown +110, other style +55, unexplained +95 [+40, open)"
    )
    assert "bold +110, unexplained" in explanation_words(FOUND, "SimPO", by="feature")
    with pytest.raises(UnknownPolicy, match="Did you mean 'SimPO'"):
        explanation_words(FOUND, "SimP0")


def test_a_folder_keeps_it_whole(tmp_path: Path) -> None:
    assert read_explanation(tmp_path) is None
    path = write_explanation(tmp_path, FOUND)
    again = read_explanation(tmp_path)
    assert path == tmp_path / "explanation.parquet"
    assert again is not None
    assert again.frame.equals(FOUND.frame)
    assert again.summary == FOUND.summary
    assert again.provenance == FOUND.provenance
    assert again.to_json()["summary"] == {"r_squared": [{"value": 0.5}]}


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    store.write_frame(FOUND.frame.drop("elo"), tmp_path / "explanation.parquet")
    with pytest.raises(SchemaError, match="elo"):
        read_explanation(tmp_path)
    with pytest.raises(SchemaError, match="elo"):
        Explanation(FOUND.frame.with_columns(elo=float("nan")))
    with pytest.raises(SchemaError, match=r"policy|kind|part"):
        Explanation(pl.concat([FOUND.frame, FOUND.frame]))
    with pytest.raises(SchemaError, match="'SimPO' has not one row each of favour, style, unexplained"):
        Explanation(FOUND.frame.filter(pl.col("kind") != "favour"))
    with pytest.raises(SchemaError, match="kind 'any' is none of"):
        Explanation(FOUND.frame.with_columns(kind=pl.lit("any")))
