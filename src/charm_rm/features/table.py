"""The table of measured features: one row a response, one column a feature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import polars as pl

from ..errors import SchemaError
from ..responses import ResponsesLike, as_responses
from ..samples import own_key
from ..tables import Column, Table
from .catalogue import DEFAULT_FEATURES, find_features
from .measure import FloatArray, measure_raw, transformed
from .own import measure_own
from .registry import refuse_repeats
from .texts import asked_column


class StyleFeatures(Table):
    """Features of responses: ``prompt_id``, ``policy`` (and ``sample``), and one finite number a feature, in the feature's own unit."""

    noun = "style features"
    columns: ClassVar[tuple[Column, ...]] = (
        Column("prompt_id", "text"),
        Column("policy", "text"),
        Column("sample", "whole number", required=False, low=0),
    )
    key = ("prompt_id", "policy", "sample")
    keeps_extra_columns = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.features:
            raise SchemaError("style features: there is no feature in the table", fix="add a numeric column")
        for name in self.features:
            self._refuse_gaps(name)
        object.__setattr__(self, "frame", self.frame.cast(dict.fromkeys(self.features, pl.Float64)))

    @property
    def features(self) -> list[str]:
        """The names of the features, in order."""
        return [c for c in self.frame.columns if c not in self.key]

    @property
    def values(self) -> FloatArray:
        """The features as an array of shape (n responses, n features)."""
        return self.frame.select(self.features).to_numpy()

    def _refuse_gaps(self, name: str) -> None:
        series = self.frame[name]
        if not series.dtype.is_numeric():
            raise SchemaError(
                f"style features: column {name!r} holds no numbers ({series.dtype})",
                fix="drop or convert it",
            )
        bad = np.flatnonzero(~np.isfinite(series.cast(pl.Float64).fill_null(float("nan")).to_numpy()))
        if bad.size:
            row = int(bad[0])
            policy, prompt = self.frame["policy"][row], self.frame["prompt_id"][row]
            raise SchemaError(
                f"feature {name!r} is not a finite number for policy {policy!r}, prompt {prompt!r} ({bad.size} such rows)",
                where=f"style features, row {row}",
                fix="measure these responses again, or drop the rows",
            )


def measure_features(
    responses: ResponsesLike, *, features: Sequence[str] = DEFAULT_FEATURES, own: Sequence[str] = ()
) -> StyleFeatures:
    """Measure the features of every response.

    Args:
        responses: texts; one row of the answer for each, in order.
        features: names out of :data:`~charm_rm.features.FEATURES`; none, where only ``own`` are wanted.
        own: features of one's own: ``column:NAME``, a numeric column of the responses, or ``python:MODULE:FUNCTION``, a
            function (prompts, responses) -> numbers of shape (n,) or (n, d), called on chunks of the table. They are
            columns under these names (``...[0]``, ``...[1]`` where there are several).

    Returns:
        The features, with the versions of their definitions in the provenance (``features``; ``own``: hashes of functions).

    Raises:
        ConfigError: an unknown name, one named twice, or none at all.
        SchemaError: a column of one's own is missing, not numeric, or lacks a number.
        ModelError: a function of one's own fails or gives no finite numbers.
    """
    responses = as_responses(responses, samples=True)
    refuse_repeats([*features, *own])
    chosen = find_features(features)
    texts = responses.frame.select(asked_column(responses.frame["prompt"]), "response")
    values = transformed(measure_raw(texts, chosen), chosen)
    added, versions = measure_own(responses, own)
    columns = {f.name: values[:, i] for i, f in enumerate(chosen)} | added
    provenance = {
        "verb": "measure_features",
        "features": {f.name: f.version for f in chosen},
        "own": versions,
        "responses": dict(responses.provenance),
    }
    return StyleFeatures(
        responses.frame.select(own_key(responses.frame)).with_columns(**_series(columns)), provenance
    )


def _series(columns: dict[str, FloatArray]) -> dict[str, pl.Series]:
    return {name: pl.Series(name, values, dtype=pl.Float64) for name, values in columns.items()}
