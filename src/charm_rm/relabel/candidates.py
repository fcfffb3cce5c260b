"""Which pairs to label, with their raw margins: out of scores by a strategy, or as a judge compared them."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from ..errors import CharmWarning, ConfigError, NoOverlap, UnknownPolicy
from ..margins import JudgedMargins, pair_judgements, score_matrix
from ..policy_names import near_policies
from ..statistics import FloatArray
from ..style import Calibrator
from ..tables import Margins, Offsets, Responses, Scores
from .pairing import Indices, Pairs, all_pairs, best_and_worst, chosen_pairs, sampled_pairs
from .shifts import is_in, references_of, shifts


def nothing_to_compare() -> NoOverlap:
    return NoOverlap(
        "no prompt has scored (or judged) responses of two policies to compare",
        fix="check that scores or judgements, responses and offsets name the same prompts and policies",
    )


@dataclass(frozen=True, eq=False)
class Candidates:
    """(n, K) what calibration adds to each response, its row, and a code of its text, -1 where there is none.

    ``inside``: the scores have it in them already.
    """

    prompts: tuple[str, ...]
    policies: tuple[str, ...]
    deltas: FloatArray
    row: Indices
    text: Indices
    inside: bool


def names_to_use(
    source: Scores | Margins, calibration: Offsets | Calibrator, policies: Sequence[str] | None, strategy: str
) -> list[str]:
    """The policies to use: those asked for, and for ``pair`` those with an offset."""
    names = source.policies if policies is None else list(dict.fromkeys(policies))
    done = "scores" if isinstance(source, Scores) else "judgements"
    for name in sorted(set(names) - set(source.policies)):
        raise UnknownPolicy(
            f"policy {name!r} has no {done}.{near_policies(name, source.policies)}",
            fix=f"name policies of the {done}",
        )
    if strategy != "pair":
        return names
    references_of(calibration)
    known = set(calibration.frame["policy"]) if isinstance(calibration, Offsets) else set()
    return [n for n in names if n in known]


def _lay_out(
    prompts: tuple[str, ...],
    policies: tuple[str, ...],
    source: Scores | Margins,
    responses: Responses,
    calibration: Offsets | Calibrator,
    own: Collection[str],
) -> Candidates:
    table = responses.frame.select("prompt_id", "policy", pl.col("response").rank("dense").alias("text"))
    row, text = _places(table, prompts, policies)
    added = shifts(source, responses, calibration, prompts, policies, own=own)
    return Candidates(prompts, policies, added, row, text, is_in(source, calibration))


def from_scores(
    scores: Scores,
    responses: Responses,
    calibration: Offsets | Calibrator,
    names: list[str],
    prompts: set[str] | None,
    strategy: str,
    *,
    k: int,
    seed: int,
    own: Collection[str],
) -> tuple[Candidates, Pairs, FloatArray]:
    """Pairs by the strategy, and their raw margins, before calibration."""
    matrix = score_matrix(scores, policies=names)
    table = _lay_out(matrix.prompts, matrix.policies, scores, responses, calibration, own)
    values = matrix.values + 0.0
    if prompts is not None:
        values[~np.isin(matrix.prompts, list(prompts))] = np.nan
    present = ~np.isnan(values)
    _warn_unanswered(int((present & (table.row < 0)).sum()), int(present.sum()), scores.noun)
    values[table.row < 0] = np.nan
    if (~np.isnan(values)).sum(axis=1).max(initial=0) < 2:
        raise nothing_to_compare()
    if table.inside:
        values = values - table.deltas
    pairs = _choose(values + table.deltas, table, calibration, strategy, k, np.random.default_rng(seed))
    prompt, policy, reference = pairs
    with np.errstate(over="ignore"):  # a margin beyond any number is refused where the preferences are made
        raw = values[prompt, policy] - values[prompt, reference]
    return table, pairs, raw


def from_judgements(
    margins: Margins,
    responses: Responses,
    calibration: Offsets | Calibrator,
    names: list[str],
    prompts: set[str] | None,
    strategy: str,
    *,
    own: Collection[str],
) -> tuple[Candidates, Pairs, FloatArray]:
    """The judged pairs, a calibrated policy before its reference, and their raw margins.

    Raises:
        ConfigError: the strategy compares responses that no judge compared.
    """
    if strategy not in ("pair", "all-pairs"):
        raise ConfigError(
            f"strategy {strategy!r} needs a score for every response; judgements compare given pairs",
            fix="use --strategy pair or all-pairs",
        )
    references = references_of(calibration) if strategy == "pair" else None
    judged = _judged(margins, names, references)
    table = _lay_out(judged.prompts, judged.policies, margins, responses, calibration, own)
    prompt, pair = np.nonzero(~np.isnan(judged.values.T))
    left, right = judged.pairs[pair].T
    wanted = np.ones(pair.size, dtype=bool)
    if references is not None:
        wanted &= ~np.isin(np.array(judged.policies)[left], sorted(references))
    if prompts is not None:
        wanted &= np.isin(np.array(judged.prompts)[prompt], list(prompts))
    answered = (table.row[prompt, left] >= 0) & (table.row[prompt, right] >= 0)
    _warn_unanswered(int((wanted & ~answered).sum()), int(wanted.sum()), margins.noun)
    used = wanted & answered
    pairs = prompt[used], left[used], right[used]
    raw = judged.values[pair[used], prompt[used]]
    if table.inside:
        raw = raw - (table.deltas[pairs[0], pairs[1]] - table.deltas[pairs[0], pairs[2]])
    return table, pairs, raw


def _judged(margins: Margins, names: list[str], references: set[str] | None) -> JudgedMargins:
    """The judgements between these policies, a reference on the reference's side."""
    some = margins.frame.filter(pl.col("policy").is_in(names) & pl.col("reference").is_in(names))
    if some.height == 0:
        raise nothing_to_compare()
    source = Margins(some, provenance=margins.provenance)
    met = None if references is None else sorted(references & set(source.policies))
    if met == []:
        raise nothing_to_compare()
    return pair_judgements(source, references=met)


def _places(
    table: pl.DataFrame, prompts: tuple[str, ...], policies: tuple[str, ...]
) -> tuple[Indices, Indices]:
    """(n, K) row of each response and code of its text; -1 where there is none."""
    at = table.with_row_index("row").select(
        "row",
        "text",
        pl.col("prompt_id")
        .replace_strict(pl.Series(prompts), pl.Series(range(len(prompts))), default=None)
        .alias("i"),
        pl.col("policy")
        .replace_strict(pl.Series(policies), pl.Series(range(len(policies))), default=None)
        .alias("j"),
    )
    at = at.drop_nulls()
    row, text = (np.full((len(prompts), len(policies)), -1, dtype=np.intp) for _ in range(2))
    i, j = at["i"].to_numpy(), at["j"].to_numpy()
    row[i, j], text[i, j] = at["row"].to_numpy(), at["text"].to_numpy()
    return row, text


def _warn_unanswered(lost: int, total: int, noun: str) -> None:
    if lost:
        warnings.warn(
            f"{lost} of {total} {noun} have no response: they are left out", CharmWarning, stacklevel=4
        )


def _choose(
    calibrated: FloatArray,
    table: Candidates,
    calibration: Offsets | Calibrator,
    strategy: str,
    k: int,
    rng: np.random.Generator,
) -> Pairs:
    if strategy == "pair":
        return chosen_pairs(calibrated, _calibrated_pairs(table, calibration))
    if strategy == "best-vs-worst":
        return best_and_worst(calibrated)
    if strategy == "all-pairs":
        return all_pairs(calibrated)
    return sampled_pairs(calibrated, k=k, rng=rng)


def _calibrated_pairs(table: Candidates, calibration: Offsets | Calibrator) -> list[tuple[int, int]]:
    """Each policy that is not a reference against each that is."""
    references = references_of(calibration)
    sides = list(enumerate(table.policies))
    return [(i, j) for i, p in sides if p not in references for j, r in sides if r in references]
