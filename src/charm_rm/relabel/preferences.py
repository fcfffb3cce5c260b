"""Calibrated scores -> preference pairs, and a ledger of what calibration did to the labels."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from scipy import special

from ..errors import (
    CharmWarning,
    ConfigError,
    NoOverlap,
    NotIdentifiable,
    UnknownPolicy,
    did_you_mean,
    listing,
)
from ..margins import score_matrix
from ..statistics import FloatArray
from ..tables import Offsets, Preferences, Responses, Scores
from .pairing import Indices, Pairs, all_pairs, best_and_worst, chosen_pairs, sampled_pairs

Strategy = Literal["pair", "best-vs-worst", "all-pairs", "sampled"]
STRATEGIES: tuple[Strategy, ...] = ("pair", "best-vs-worst", "all-pairs", "sampled")
FATES = ("kept", "flipped", "tied", "dropped")


@dataclass(frozen=True, eq=False)
class Relabelled:
    """Preference pairs and the ledger.

    ``ledger`` has one row per (policy, reference) pair: ``pairs`` compared, of which ``kept`` their label,
    ``flipped`` it, ``tied`` after calibration, or were ``dropped`` as the two responses are the same text.
    The last two are not among the preferences. kept + flipped + tied + dropped = pairs.
    """

    preferences: Preferences
    ledger: pl.DataFrame


def relabel_preferences(
    scores: Scores,
    responses: Responses,
    offsets: Offsets,
    *,
    strategy: Strategy = "pair",
    k: int = 4,
    temperature: float = 1.0,
    seed: int = 0,
    policies: Sequence[str] | None = None,
    prompts: Sequence[str] | None = None,
) -> Relabelled:
    """Label pairs of responses by calibrated score: chosen = argmax (s + Δ), p_chosen = σ(margin / T).

    Args:
        scores: reward-model scores before calibration.
        responses: the texts.
        offsets: Δ by policy; a policy without one keeps its score, with a warning.
        strategy: ``pair`` compares each calibrated policy with the references; ``best-vs-worst`` the best and
            worst calibrated response to each prompt; ``all-pairs`` every two; ``sampled`` ``k`` random pairs.
        k: pairs per prompt for ``sampled``.
        temperature: T of the soft labels, in score units.
        seed: of the sampling.
        policies: use these policies alone.
        prompts: use these prompt ids alone (a training split, say).

    Returns:
        Preferences in TRL's conversational format, and the ledger. A label is flipped where the calibrated
        margin has the other sign than the raw one; where the raw margin was 0 there was no label to turn, and
        the pair counts as kept.

    Raises:
        ConfigError: a setting is not usable, or ``pair`` has no references to compare with.
        UnknownPolicy: a policy asked for has no scores.
        NoOverlap: scores and responses have no pair in common.
        NotIdentifiable: every pair is a tie or twice the same text.
    """
    _check_settings(strategy, k, temperature)
    table = _lay_out(scores, responses, offsets, policies, prompts, strategy)
    if (~np.isnan(table.scores)).sum(axis=1).max(initial=0) < 2:
        raise _nothing_to_compare()
    pairs = _choose(table, offsets, strategy, k, np.random.default_rng(seed))
    if pairs[0].size == 0:
        raise _nothing_to_compare()
    compared = _compare(table, pairs)
    preferences = _preferences(table, responses.frame, compared, temperature)
    provenance = {
        "verb": "relabel_preferences",
        "strategy": strategy,
        "k": k if strategy == "sampled" else None,
        "temperature": temperature,
        "seed": seed,
        "deltas": dict(zip(table.policies, table.deltas.tolist(), strict=True)),
    }
    return Relabelled(Preferences(preferences, provenance=provenance), _ledger(table, compared))


@dataclass(frozen=True, eq=False)
class _Layout:
    """Scores (n, K), NaN unless scored and answered; the row of each response and a code of its text."""

    prompts: tuple[str, ...]
    policies: tuple[str, ...]
    scores: FloatArray
    deltas: FloatArray
    row: Indices
    text: Indices


@dataclass(frozen=True, eq=False)
class _Compared:
    """One entry per pair: who meets whom, the raw and calibrated margins, and the fate (index in FATES)."""

    prompt: Indices
    policy: Indices
    reference: Indices
    margin: FloatArray
    fate: Indices


def _check_settings(strategy: str, k: int, temperature: float) -> None:
    if strategy not in STRATEGIES:
        raise ConfigError(f"strategy {strategy!r} is not known", mend=f"use one of {', '.join(STRATEGIES)}")
    if k < 1:
        raise ConfigError(f"k is {k}", mend="sample at least 1 pair per prompt")
    if not (np.isfinite(temperature) and temperature > 0):
        raise ConfigError(f"temperature {temperature!r} is not above 0", mend="give a temperature above 0")


def _nothing_to_compare() -> NoOverlap:
    return NoOverlap(
        "no prompt has scored responses of two policies to compare",
        mend="check that scores, responses and offsets name the same prompts and policies",
    )


def _lay_out(
    scores: Scores,
    responses: Responses,
    offsets: Offsets,
    policies: Sequence[str] | None,
    prompts: Sequence[str] | None,
    strategy: Strategy,
) -> _Layout:
    names = scores.policies if policies is None else list(dict.fromkeys(policies))
    for name in sorted(set(names) - set(scores.policies)):
        raise UnknownPolicy(f"policy {name!r} has no scores.{did_you_mean(name, scores.policies)}")
    if strategy == "pair":
        names = [n for n in names if n in set(offsets.frame["policy"])]
    matrix = score_matrix(scores, policies=names)
    table = responses.frame.select("prompt_id", "policy", pl.col("response").rank("dense").alias("text"))
    row, text = _places(table, matrix.prompts, matrix.policies)
    values = matrix.values + 0.0
    if prompts is not None:
        values[~np.isin(matrix.prompts, list(prompts))] = np.nan
    _warn_unanswered(values, row)
    values[row < 0] = np.nan
    return _Layout(matrix.prompts, matrix.policies, values, _deltas(offsets, names), row, text)


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


def _warn_unanswered(values: FloatArray, row: Indices) -> None:
    scored = ~np.isnan(values)
    if lost := int((scored & (row < 0)).sum()):
        warnings.warn(
            f"{lost} of {int(scored.sum())} scores have no response: they are left out",
            CharmWarning,
            stacklevel=4,
        )


def _deltas(offsets: Offsets, names: Sequence[str]) -> FloatArray:
    known = dict(zip(offsets.frame["policy"], offsets.frame["delta"], strict=True))
    if without := [n for n in names if n not in known]:
        warnings.warn(f"no offset for {listing(without)}: their scores stay", CharmWarning, stacklevel=4)
    return np.array([known.get(n, 0.0) for n in names])


def _choose(table: _Layout, offsets: Offsets, strategy: Strategy, k: int, rng: np.random.Generator) -> Pairs:
    calibrated = table.scores + table.deltas
    if strategy == "pair":
        return chosen_pairs(calibrated, _calibrated_pairs(table, offsets))
    if strategy == "best-vs-worst":
        return best_and_worst(calibrated)
    if strategy == "all-pairs":
        return all_pairs(calibrated)
    return sampled_pairs(calibrated, k=k, rng=rng)


def _calibrated_pairs(table: _Layout, offsets: Offsets) -> list[tuple[int, int]]:
    """Each policy that is not a reference against each that is."""
    references = set(offsets.frame.filter(pl.col("is_reference"))["policy"])
    if not references:
        raise ConfigError(
            "the offsets have no reference policy, so there is no calibrated pair",
            mend="use --strategy all-pairs, sampled or best-vs-worst, or solve the offsets with --ref",
        )
    sides = list(enumerate(table.policies))
    return [(i, j) for i, p in sides if p not in references for j, r in sides if r in references]


def _compare(table: _Layout, pairs: Pairs) -> _Compared:
    """Margins before and after, and what became of each label."""
    prompt, policy, reference = pairs
    raw = table.scores[prompt, policy] - table.scores[prompt, reference]
    margin = raw + (table.deltas[policy] - table.deltas[reference])
    same = table.text[prompt, policy] == table.text[prompt, reference]
    fate = np.select([same, margin == 0, raw * margin < 0], [3, 2, 1], default=0)
    return _Compared(prompt, policy, reference, margin, fate)


def _preferences(
    table: _Layout, responses: pl.DataFrame, compared: _Compared, temperature: float
) -> pl.DataFrame:
    """The kept and flipped pairs as TRL rows. Texts are gathered by row: Polars shares their bytes."""
    used = compared.fate < FATES.index("tied")
    if not used.any():
        raise NotIdentifiable(
            f"all {used.size} pairs are ties or twice the same text: nothing to prefer",
            mend="check the scores and the responses",
        )
    prompt, policy, reference = compared.prompt[used], compared.policy[used], compared.reference[used]
    margin = compared.margin[used]
    chosen = np.where(margin > 0, policy, reference)
    rejected = np.where(margin > 0, reference, policy)
    said = responses.select(_messages("response", responses.schema["response"], "assistant"))["response"]
    asked = responses.select(_messages("prompt", responses.schema["prompt"], "user"))["prompt"]
    names, ids = pl.Series(table.policies), pl.Series(table.prompts)
    return pl.DataFrame(
        {
            "prompt": asked.gather(table.row[prompt, chosen]),
            "chosen": said.gather(table.row[prompt, chosen]),
            "rejected": said.gather(table.row[prompt, rejected]),
            "prompt_id": ids.gather(prompt),
            "chosen_policy": names.gather(chosen),
            "rejected_policy": names.gather(rejected),
            "margin": np.abs(margin),
            "p_chosen": special.expit(np.abs(margin) / temperature),
            "flipped": compared.fate[used] == FATES.index("flipped"),
        }
    )


def _messages(column: str, dtype: pl.DataType, role: str) -> pl.Expr:
    """Text as one message of ``role``; messages keep their role and content."""
    if dtype == pl.String:
        message = pl.struct(pl.lit(role).alias("role"), pl.col(column).alias("content"))
        return pl.concat_list(message).alias(column)
    fields = [pl.element().struct.field(f) for f in ("role", "content")]
    return pl.col(column).list.eval(pl.struct(*fields))


def _ledger(table: _Layout, compared: _Compared) -> pl.DataFrame:
    """Count the fates of each pair of policies."""
    names = pl.Series(table.policies)
    frame = pl.DataFrame({"k": compared.policy, "r": compared.reference, "fate": compared.fate})
    counts = [(pl.col("fate") == i).sum().cast(pl.Int64).alias(f) for i, f in enumerate(FATES)]
    counted = frame.group_by("k", "r").agg(pl.len().cast(pl.Int64).alias("pairs"), *counts).sort("k", "r")
    sides = {"policy": names.gather(counted["k"]), "reference": names.gather(counted["r"])}
    return pl.DataFrame(sides).hstack(counted.drop("k", "r"))
