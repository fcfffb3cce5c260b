"""A calibrator: what is added to the score of any response, from what can be seen in it.

s' = s + w·φ(x, y), with φ the features of the response, centred, in units of their standard deviation among the responses that the
weights were solved on, and cut at ``limit`` of them either way. One readable JSON file holds it (:mod:`.calibrator_file`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import polars as pl

from ..errors import ConfigError
from ..features import FEATURES, StyleFeatures, measure
from ..protocols import Prompt
from ..shown import Summarised
from ..statistics import FloatArray

Unit = Literal["score", "log-odds"]


@dataclass(frozen=True)
class FeatureWeight:
    """One feature's part of a calibrator.

    Args:
        name: of :data:`charm_rm.features.FEATURES`, or ``column:NAME``, ``python:MODULE:FUNCTION``.
        version: of the feature's definition; of a function of one's own, the hash of its source.
        centre, scale: mean and standard deviation among the responses solved on.
        weight: what one standard deviation more of it adds, in the calibrator's unit.
        estimate: the same without the penalty, which pulls weights to 0; what the interval is around.
        std_err, ci_low, ci_high: of the estimate, over policies, their ratings and responses; None: at a bound, or not to be had from so few policies.
    """

    name: str
    version: int | str
    centre: float
    scale: float
    weight: float
    std_err: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    estimate: float | None = None

    @property
    def unpenalised(self) -> float:
        """The estimate, or the weight itself where there is none."""
        return self.weight if self.estimate is None else self.estimate


@dataclass(frozen=True, eq=False, repr=False)
class Calibrator(Summarised):
    """Weights of style features that bring a model's win rates to what human ratings say, for policies rated or not.

    Args:
        unit: what it moves: scores, or a judge's log-odds.
        features: none, where only the scale was fitted (``--sharpness``).
        spread: the scores' standard deviation within prompts; of judgements, of margins over √2.
        temperature: T in the calibrator's unit: σ(margin' / T) is the probability that people prefer the response, fitted on policies.
        fit_temperature: the sigmoid's T, in units of ``spread``, that the weights were solved with.
        penalty: λ.
        kept: correlation of margins before and after within prompts, over the responses solved on.
        limit: features are cut at so many standard deviations.
        offsets: left over for rated policies, added after style, where asked for.
        solved_on: prompts (as digests) and policies (:func:`charm_rm.solved_on.solved_on`).
        held_out: figures on policies and prompts that were left out (:mod:`.held_out`), as rows.
        provenance: verb, settings, seed, source, warnings.
    """

    unit: Unit
    features: tuple[FeatureWeight, ...]
    spread: float
    temperature: float
    fit_temperature: float
    penalty: float
    kept: float
    limit: float = 4.0
    offsets: Mapping[str, float] = field(default_factory=dict)
    solved_on: Mapping[str, Any] | None = None
    held_out: tuple[Mapping[str, Any], ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def tables(self) -> dict[str, pl.DataFrame]:
        """``features`` (weights), ``held_out`` and ``offsets``, those that there are."""
        rows = {
            "features": [vars(f) | {"version": str(f.version)} for f in self.features],
            "held_out": [dict(row) for row in self.held_out],
            "offsets": [{"policy": p, "offset": d} for p, d in self.offsets.items()],
        }
        found = {name: pl.DataFrame(some, infer_schema_length=None) for name, some in rows.items() if some}
        return found or {"features": pl.DataFrame()}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its features, in order."""
        return tuple(f.name for f in self.features)

    @property
    def weights(self) -> FloatArray:
        """(d,) weights, in the calibrator's unit for one standard deviation of a feature."""
        return np.array([f.weight for f in self.features])

    @property
    def fingerprint(self) -> str:
        """Hash of all that decides what is added to a score."""
        features = [[f.name, f.version, f.centre, f.scale, f.weight] for f in self.features]
        decides = [self.unit, self.limit, sorted(self.offsets.items()), features]
        return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]

    def standardised(self, values: FloatArray) -> FloatArray:
        """(..., d) features in units of their standard deviation, centred, cut at ``limit``."""
        centre, scale = (np.array([getattr(f, n) for f in self.features]) for n in ("centre", "scale"))
        return np.asarray(np.clip((values - centre) / scale, -self.limit, self.limit))

    def adjust(self, values: FloatArray) -> FloatArray:
        """(n,) w·φ of measured features (n, d), in the calibrator's unit."""
        return np.asarray(self.standardised(values) @ self.weights)

    def adjust_texts(self, prompts: Sequence[Prompt], responses: Sequence[str]) -> FloatArray:
        """(n,) w·φ of texts, measured here; raises as :meth:`standardise_texts`."""
        return np.asarray(self.standardise_texts(prompts, responses) @ self.weights)

    def standardise_texts(self, prompts: Sequence[Prompt], responses: Sequence[str]) -> FloatArray:
        """(n, d) features of texts as the weights multiply them, measured here.

        Raises:
            ConfigError: a feature is a column of a table, which texts do not have; or its definition is another by now.
        """
        self.check_texts()
        if not self.features:
            return np.zeros((len(responses), 0))
        return self.standardised(measure(prompts, responses, features=self.names))

    def adjust_table(self, features: StyleFeatures) -> FloatArray:
        """(n,) w·φ of a table of features, by row."""
        return (
            self.adjust(features.frame.select(self.names).to_numpy())
            if self.features
            else np.zeros(len(features))
        )

    def check_texts(self) -> None:
        """Refuse what :meth:`standardise_texts` refuses, before there are any texts."""
        self.check_versions()
        if own := [n for n in self.names if n not in FEATURES]:
            raise ConfigError(
                f"feature {own[0]!r} of the calibrator is not measured from texts alone",
                fix="apply it to a table of responses: charm apply SCORES CALIBRATOR --responses RESPONSES",
            )

    def check_versions(self) -> None:
        """Refuse features whose definition has changed since.

        Raises:
            ConfigError: the calibrator was solved with another version of a feature, or with one that is not known here.
        """
        for one in self.features:
            if ":" in one.name:
                continue
            if one.name not in FEATURES:
                raise ConfigError(
                    f"feature {one.name!r} of the calibrator is not known to this version of charm",
                    fix="install the version that it was solved with, or solve it again",
                )
            if FEATURES[one.name].version != one.version:
                raise ConfigError(
                    f"feature {one.name!r} is defined in version {FEATURES[one.name].version} here, and the calibrator "
                    f"was solved with version {one.version}",
                    fix="solve it again: charm calibrate SCORES --style ...",
                )

    def to_json(self) -> dict[str, Any]:
        """As JSON-able values."""
        return asdict(self)
