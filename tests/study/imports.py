"""Votes of two raters on three prompts, as rows, and what :func:`import_votes` makes of rows and says of them."""

from __future__ import annotations

import warnings
from typing import Any

import polars as pl

from charm_rm.study.frame import with_margins
from charm_rm.study.importing.votes import import_votes
from charm_rm.study.nouns import Study

Rows = list[dict[str, Any]]


def vote(**changed: Any) -> dict[str, Any]:
    """A row of the least that a vote has."""
    return {"prompt_id": "p1", "policy_a": "x", "policy_b": "y", "winner": "a", "rater": "ann"} | changed


def votes(**columns: list[Any]) -> Rows:
    """Ann's and Bob's votes on p1, p2, p3, with one more value a row for each of ``columns``; Bob saw y first."""
    rows = [vote(prompt_id=f"p{i}") for i in (1, 2, 3)]
    rows += [vote(prompt_id=f"p{i}", policy_a="y", policy_b="x", rater="bob") for i in (1, 2, 3)]
    for name, values in columns.items():
        rows = [row | {name: value} for row, value in zip(rows, values, strict=True)]
    return rows


def imported(rows: Rows, **how: Any) -> tuple[Study, str]:
    """The study, and all that was said, notes on what was read included."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        study = import_votes(pl.DataFrame(rows), where="votes.csv", name="votes", **how)
    return study, "\n".join(str(w.message) for w in said)


def margins(study: Study) -> dict[str, list[float | None]]:
    """Each model's margins of x over y, by prompt."""
    frame = with_margins(study.comparisons.frame.sort("prompt_id"), study.models)
    return {m.name: [_rounded(v) for v in frame[f"margin_{m.name}"]] for m in study.models}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
