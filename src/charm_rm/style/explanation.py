"""What explains each policy's favour, as a table: the noun that ``charm explain`` writes and the report reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import polars as pl

from .. import store
from ..errors import SchemaError, UnknownPolicy
from ..policy_names import near_policies
from ..shown import Figures, bind_figures
from ..tables import Column, Table

By = Literal["feature", "group"]
FILE = "explanation.parquet"
KINDS = ("favour", "style", "unexplained", "group", "feature")


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(Table):
    """Favour of each policy in Elo points, and what of it its style explains.

    One row a policy and part. ``kind`` is ``favour`` (the whole, as an audit has it), ``style`` (all features), ``unexplained``
    (favour = style + unexplained), ``group`` (of features) or ``feature``: features sum to their groups, groups to style. ``difference`` is by how many standard deviations the policy's responses have more of the
    feature than others on the same prompts, ``weight`` what one of them adds to a score (the correction's weight, of the other sign: what the
    model pays is -``weight``). ``held_out``: the weights were solved without this policy.

    ``summary`` holds ``r_squared`` (rows of value, ci_low, ci_high, policies, held_out), ``families``, and what is said of the whole.
    """

    summary: Figures = field(default_factory=Figures)  # called, it is the method of its base

    noun: ClassVar[str] = "explanation"
    columns: ClassVar[tuple[Column, ...]] = (
        Column("policy", "text"),
        Column("kind", "text"),
        Column("part", "text"),
        Column("group", "text", nullable=True),
        Column("elo"),
        Column("std_err", nullable=True, low=0.0),
        Column("ci_low", nullable=True),
        Column("ci_high", nullable=True),
        Column("difference", nullable=True),
        Column("weight", nullable=True),
        Column("held_out", "true/false"),
    )
    key: ClassVar[tuple[str, ...]] = ("policy", "kind", "part")

    def __post_init__(self) -> None:
        super().__post_init__()
        bind_figures(self, self.summary)
        unknown = sorted(set(self.frame["kind"]) - set(KINDS))
        if unknown:
            raise SchemaError(
                f"explanation: kind {unknown[0]!r} is none of {', '.join(KINDS)}",
                fix="write it again: charm explain",
            )
        whole = self.frame.filter(pl.col("kind").is_in(KINDS[:3]))
        count = whole.group_by("policy").agg(pl.col("kind").n_unique(), rows=pl.len())
        lacking = set(self.frame["policy"]) - set(
            count.filter((pl.col("kind") == len(KINDS[:3])) & (pl.col("rows") == len(KINDS[:3])))["policy"]
        )
        if lacking:
            raise SchemaError(
                f"explanation: {min(lacking)!r} has not one row each of {', '.join(KINDS[:3])}",
                fix="write it again: charm explain",
            )

    def payload(self) -> dict[str, Any]:
        return super().payload() | {"summary": dict(self.summary)}

    @classmethod
    def restore(cls, frame: pl.DataFrame, payload: Mapping[str, Any]) -> Self:
        return cls(
            frame, provenance=payload.get("provenance", {}), summary=Figures(payload.get("summary", {}))
        )

    def of(self, policy: str) -> pl.DataFrame:
        """The rows of one policy.

        Raises:
            UnknownPolicy: it has none.
        """
        rows = self.frame.filter(pl.col("policy") == policy)
        if rows.is_empty():
            raise UnknownPolicy(
                f"policy {policy!r} is not explained.{near_policies(policy, self.policies)}",
                fix="name a policy that was scored and has a rating",
            )
        return rows

    def to_json(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {
            "explanation": self.frame.to_dicts(),
            "summary": dict(self.summary),
            "provenance": dict(self.provenance),
        }


def write_explanation(folder: str | Path, found: Explanation) -> Path:
    """Write ``explanation.parquet`` into an existing folder (of a run or an audit), where ``charm report`` finds it; the path is returned."""
    return store.save(found, Path(folder) / FILE, force=True)


def read_explanation(folder: str | Path) -> Explanation | None:
    """The explanation of a folder, None where it has none.

    Raises:
        SchemaError, UnreadableFile: the file is damaged.
    """
    path = Path(folder) / FILE
    return store.load(Explanation, path) if path.exists() else None


# --- in words ---------------------------------------------------------------------------------------


def explanation_words(found: Explanation, policy: str, *, by: By = "group", top: int = 4) -> str:
    """``gemma-SimPO +269 Elo [+230, +310]: markdown +180, length +60, other style -12, unexplained +41 [-3, +85]``."""
    rows = found.of(policy)
    whole, rest = (_one(rows, kind) for kind in ("favour", "unexplained"))
    parts = rows.filter(pl.col("kind") == by).sort(pl.col("elo").abs(), descending=True).to_dicts()
    told = [f"{one['part']} {one['elo']:+.0f}" for one in parts[:top]]
    if other := parts[top:]:
        told.append(f"other style {sum(one['elo'] for one in other):+.0f}")
    told.append(f"unexplained {_with_interval(rest)}")
    return f"{policy} {_with_interval(whole, ' Elo')}: {', '.join(told)}"


def _one(rows: pl.DataFrame, kind: str) -> dict[str, Any]:
    return rows.filter(pl.col("kind") == kind).row(0, named=True)


def _with_interval(row: Mapping[str, Any], unit: str = "") -> str:
    value = f"{row['elo']:+.0f}{unit}"
    if row["ci_low"] is None and row["ci_high"] is None:
        return value
    low = "(open" if row["ci_low"] is None else f"[{row['ci_low']:+.0f}"
    return f"{value} {low}, {'open)' if row['ci_high'] is None else format(row['ci_high'], '+.0f') + ']'}"
