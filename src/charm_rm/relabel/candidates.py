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
from ..samples import COLUMN as SAMPLE
from ..samples import KEY, has_samples, own_key
from ..statistics import FloatArray
from ..style import Calibrator
from ..tables import Margins, Offsets, Responses, Scores
from .pairing import Indices, Pairs, all_pairs, best_and_worst, chosen_pairs, sampled_pairs
from .shifts import is_in, placed, references_of, shifts


def nothing_to_compare() -> NoOverlap:
    return NoOverlap(
        "no prompt has scored (or judged) responses of two policies to compare",
        fix="check that scores or judgements, responses and offsets name the same prompts and policies",
    )


@dataclass(frozen=True, eq=False)
class Candidates:
    """(n, K) what calibration adds to each response, its row, and a code of its text, -1 where there is none.

    A column is a policy, or one of its samples: ``policies`` says whose, ``samples`` which (None: each policy has one response).
    ``inside``: the scores have it in them already.
    """

    prompts: tuple[str, ...]
    policies: tuple[str, ...]
    samples: tuple[int, ...] | None
    deltas: FloatArray
    row: Indices
    text: Indices
    inside: bool

    @property
    def owner(self) -> Indices:
        """(K,) a number of the policy that each column is of."""
        return np.unique(self.policies, return_inverse=True)[1].astype(np.intp)


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
    samples: tuple[int, ...] | None = None,
) -> Candidates:
    table = responses.frame.select(
        *(own_key(responses.frame) if samples else KEY), pl.col("response").rank("dense").alias("text")
    )
    row, text = _places(table, prompts, policies, samples)
    added = shifts(source, responses, calibration, prompts, policies, own=own, samples=samples)
    return Candidates(prompts, policies, samples, added, row, text, is_in(source, calibration))


def _columns(
    scores: Scores, names: list[str]
) -> tuple[tuple[str, ...], FloatArray, tuple[str, ...], tuple[int, ...] | None]:
    """Prompts, (n, K) scores, and whose they are: a column for each policy, or for each sample of each where there are several."""
    if not has_samples(scores):
        matrix = score_matrix(scores, policies=names)
        return matrix.prompts, matrix.values, matrix.policies, None
    frame = scores.frame.filter(pl.col("policy").is_in(names))
    units = frame.select("policy", "sample").unique().sort("policy", "sample").rows()
    label = {unit: str(i) for i, unit in enumerate(units)}
    named = frame.select(
        "prompt_id",
        policy=pl.Series([label[row] for row in frame.select("policy", "sample").iter_rows()]),
        score="score",
    )
    matrix = score_matrix(Scores(named), policies=[label[unit] for unit in units])
    return matrix.prompts, matrix.values, tuple(p for p, _ in units), tuple(s for _, s in units)


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
    asked, values, policies, samples = _columns(scores, names)
    if samples is not None and SAMPLE not in responses.frame.columns:
        raise ConfigError(
            "the scores are of several samples, and the responses have no column 'sample' that says which is which",
            where="responses",
            fix="give the responses that were scored, or choose --sample first where the scores are read",
        )
    table = _lay_out(asked, policies, scores, responses, calibration, own, samples)
    values = values + 0.0
    if prompts is not None:
        values[~np.isin(asked, list(prompts))] = np.nan
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
    table: pl.DataFrame,
    prompts: tuple[str, ...],
    policies: tuple[str, ...],
    samples: tuple[int, ...] | None,
) -> tuple[Indices, Indices]:
    """(n, K) row of each response and code of its text; -1 where there is none."""
    at = placed(table.with_row_index("row"), prompts, policies, samples)
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
        return best_and_worst(calibrated, table.owner)
    if strategy == "all-pairs":
        return all_pairs(calibrated, table.owner)
    return sampled_pairs(calibrated, k=k, rng=rng, owner=table.owner)


def _calibrated_pairs(table: Candidates, calibration: Offsets | Calibrator) -> list[tuple[int, int]]:
    """Each policy that is not a reference against each that is."""
    references = references_of(calibration)
    sides = list(enumerate(table.policies))
    return [(i, j) for i, p in sides if p not in references for j, r in sides if r in references]
