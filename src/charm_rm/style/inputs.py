"""Scores or judgements, responses and ratings -> what the solver works on, aligned and checked."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import CharmWarning, ConfigError, NoOverlap, NotIdentifiable, counted, listing
from ..features import StyleFeatures
from ..margins import PairedMargins, only_policies, pair_margins
from ..ratings import Aliases, Yardstick, expected_win_rate, match_ratings, yardstick
from ..settings import Unrated
from ..statistics import FloatArray
from ..tables import Margins, Ratings, Scores
from .comparisons import Part, restricted, spread_of_margins

FEWEST_POLICIES = 3
_SAME = 1 - 1e-9


@dataclass(frozen=True, eq=False)
class Problem:
    """Rated policies' margins, the standardised features of their responses, and what people say of each pair.

    ``part`` holds margins, features and expected win rates; ``names`` the features, with ``centre`` and ``sd`` (d,) of each;
    ``rated`` the ratings in the order of the policies; ``spread`` the margins' own scale.
    """

    source: Scores | Margins
    part: Part
    names: tuple[str, ...]
    centre: FloatArray
    sd: FloatArray
    rated: Yardstick
    spread: float

    @property
    def policies(self) -> tuple[str, ...]:
        return self.part.paired.policies

    @property
    def paired(self) -> PairedMargins:
        return self.part.paired

    def at(self, prompts: NDArray[np.bool_]) -> Problem:
        """The same problem on some of the prompts."""
        pairs = np.ones(len(self.part.expected), dtype=bool)
        return replace(self, part=restricted(self.part, pairs=pairs, prompts=prompts))

    def only(self, names: Sequence[str]) -> Problem:
        """The same problem with some of the features."""
        at = [self.names.index(name) for name in names]
        part = replace(self.part, features=self.part.features[:, :, at])
        return replace(self, part=part, names=tuple(names), centre=self.centre[at], sd=self.sd[at])


def pose_problem(
    source: Scores | Margins,
    features: StyleFeatures,
    ratings: Ratings,
    *,
    limit: float,
    aliases: Aliases | None = None,
    unrated: Unrated = "error",
) -> Problem:
    """Align everything by prompt and policy, and standardise the features over the responses that are used.

    Raises:
        UnknownPolicy: a policy has no rating.
        NoOverlap: fewer than three rated policies, or no response belongs to a score.
        NotIdentifiable: all margins are 0, or two features are one.
    """
    matched = match_ratings(ratings, source.policies, aliases=aliases, unrated=unrated)
    source = answered(only_policies(source, matched.policies), features)
    if len(source.policies) < FEWEST_POLICIES:
        raise NoOverlap(
            f"{counted(len(source.policies), 'rated policy', 'rated policies')}: weights of features need at least {FEWEST_POLICIES}",
            where="style calibration",
            fix="score the responses of more rated policies; dozens are needed for weights that mean something",
        )
    paired = pair_margins(source)
    spread = spread_of_margins(paired)
    if not spread > 0:
        raise NotIdentifiable(
            "all scores of a prompt are equal",
            where="style calibration",
            fix="check the scores (a constant model?)",
        )
    rated = yardstick(matched, paired.policies)
    values, present = laid_out(_used(features, source), paired)
    kept, centre, sd = _scales(values, present, features.features)
    values = values if len(kept) == values.shape[2] else values[:, :, kept]
    values -= centre
    values /= sd
    np.clip(values, -limit, limit, out=values)
    values[~present] = 0.0
    names = tuple(features.features[j] for j in kept)
    _refuse_twins(values[present], names)
    left, right = paired.pairs.T
    expected = expected_win_rate(rated.rating[left], rated.rating[right])
    part = Part(paired, values, expected, np.ones(len(expected)))
    return Problem(source, part, names, centre, sd, rated, spread)


def answered(source: Scores | Margins, features: StyleFeatures) -> Scores | Margins:
    """The rows whose responses are there, on both sides; the others are counted and named.

    Raises:
        NoOverlap: there are none.
    """
    there = features.frame.select("prompt_id", "policy")
    frame = source.frame
    for side in (c for c in ("policy", "reference") if c in frame.columns):
        frame = frame.join(there.rename({"policy": side}), on=["prompt_id", side], how="semi")
    lost = len(source) - frame.height
    if frame.is_empty():
        raise NoOverlap(
            f"no response belongs to any of the {source.noun}",
            where="style calibration",
            fix="give the responses that were scored: same prompt_id, same policy",
        )
    if lost:
        without = sorted(set(source.policies) - set(frame["policy"]))
        named = f"; none at all of {listing(without)}" if without else ""
        warnings.warn(
            f"{lost} of {len(source)} {source.noun} have no response and are left out{named}",
            CharmWarning,
            stacklevel=4,
        )
    return source if not lost else type(source)(frame, provenance=source.provenance)


def _used(features: StyleFeatures, source: Scores | Margins) -> StyleFeatures:
    """The features of the responses that were scored or judged."""
    sides = [c for c in ("policy", "reference") if c in source.frame.columns]
    keys = [source.frame.select("prompt_id", pl.col(side).alias("policy")) for side in sides]
    frame = features.frame.join(pl.concat(keys), on=["prompt_id", "policy"], how="semi")
    return features if frame.height == len(features) else StyleFeatures(frame, features.provenance)


def laid_out(features: StyleFeatures, paired: PairedMargins) -> tuple[FloatArray, NDArray[np.bool_]]:
    """(K, n, d) features, 0 where there is no response, and (K, n) whether there is one."""
    prompts = {p: i for i, p in enumerate(paired.prompts)}
    policies = {p: k for k, p in enumerate(paired.policies)}
    frame = features.frame.filter(
        pl.col("policy").is_in(list(policies)) & pl.col("prompt_id").is_in(list(prompts))
    )
    k = frame["policy"].replace_strict(policies, return_dtype=pl.Int64).to_numpy()
    i = frame["prompt_id"].replace_strict(prompts, return_dtype=pl.Int64).to_numpy()
    values = np.zeros((len(policies), len(prompts), len(features.features)))
    for j, name in enumerate(features.features):  # one at a time: the table may be as large as the memory
        values[k, i, j] = frame[name].to_numpy()
    present = np.zeros(values.shape[:2], dtype=bool)
    present[k, i] = True
    return values, present


def _scales(
    values: FloatArray, present: NDArray[np.bool_], names: Sequence[str]
) -> tuple[list[int], FloatArray, FloatArray]:
    """The features that vary, their means and standard deviations; the constant ones are named in a warning.

    Raises:
        NotIdentifiable: none varies.
    """
    shown = values[present]
    centre, sd = shown.mean(axis=0), shown.std(axis=0)
    varies = sd > 1e-12 * np.maximum(1.0, np.abs(centre))
    kept = np.flatnonzero(varies).tolist()
    if len(kept) < len(names):
        same = [name for name, some in zip(names, varies, strict=True) if not some]
        if not kept:
            raise NotIdentifiable(
                f"no feature differs between the responses ({listing(same)})",
                where="style calibration",
                fix="name others (--feature NAME; charm features --list)",
            )
        warnings.warn(
            f"feature {listing(same)} is the same in every response: left out", CharmWarning, stacklevel=5
        )
    return kept, centre[kept], sd[kept]


def _options(names: Iterable[str]) -> list[str]:
    """The options of the commands that name these features."""
    whole = dict.fromkeys(
        name.partition("[")[0] for name in names
    )  # of language[de], language[en] ...: language
    return [f"{'--own' if ':' in name else '--feature'} {name}" for name in whole]


def _refuse_twins(values: FloatArray, names: Sequence[str]) -> None:
    """Two features that are one would share a weight in any way.

    Raises:
        ConfigError: two are the same but for their scale.
    """
    if len(names) < 2:
        return
    together = np.abs(np.corrcoef(values, rowvar=False)) - np.eye(len(names))
    if (together > _SAME).any():
        one, other = np.argwhere(together > _SAME)[0]
        raise ConfigError(
            f"features {names[one]!r} and {names[other]!r} are the same in every response, but for their scale",
            where="style calibration",
            fix="leave out one of them: name those to use, "
            + " ".join(_options(name for name in names if name != names[other])),
        )
