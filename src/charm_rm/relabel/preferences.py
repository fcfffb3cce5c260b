"""Calibrated scores or judgements -> preference pairs, and a ledger of what calibration did to the labels."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import polars as pl

from ..errors import (
    ConfigError,
    NotIdentifiable,
)
from ..given import ComparableLike, OffsetsLike, as_comparable, as_offsets
from ..margins import soft_outcomes
from ..paths import expanded
from ..responses import ResponsesLike, as_responses
from ..samples import has_samples
from ..settings import Strategy
from ..shown import Summarised
from ..statistics import FloatArray
from ..style import Calibrator, is_calibrator, load_calibrator
from ..tables import Offsets, Preferences, Scores
from .candidates import Candidates, from_judgements, from_scores, names_to_use, nothing_to_compare
from .pairing import Indices, Pairs
from .shifts import check_usable

STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
FATES = ("kept", "flipped", "tied", "dropped")


@dataclass(frozen=True, eq=False, repr=False)
class Relabelled(Summarised):
    """Preference pairs and the ledger.

    ``ledger`` has one row per (policy, reference) pair: ``pairs`` compared, of which ``kept`` their label,
    ``flipped`` it, ``tied`` after calibration, or were ``dropped`` as the two responses are the same text.
    The last two are not among the preferences. kept + flipped + tied + dropped = pairs.
    """

    preferences: Preferences
    ledger: pl.DataFrame

    def tables(self) -> dict[str, pl.DataFrame]:
        """``ledger`` and ``preferences``."""
        return {"ledger": self.ledger, "preferences": self.preferences.frame}


def relabel_preferences(
    source: ComparableLike,
    responses: ResponsesLike,
    calibration: OffsetsLike | Calibrator,
    *,
    strategy: Strategy = "pair",
    k: int = 4,
    temperature: float | None = None,
    seed: int = 0,
    policies: Sequence[str] | None = None,
    prompts: Sequence[str] | None = None,
    own: Collection[str] = (),
) -> Relabelled:
    """Label pairs of responses by calibrated score: chosen = argmax (s + Δ), p_chosen = σ(margin / T).

    Judged pairs are labelled by their calibrated margin, m + Δ_policy - Δ_reference > 0: policy is chosen. Δ is the policy's offset, or what
    a calibrator adds to the response.

    Args:
        source: reward-model scores, or a judge's margins, before calibration; or with this very calibrator's correction in them.
        responses: the texts.
        calibration: offsets, Δ by policy (a policy without one keeps its score, with a warning); or a style calibrator.
        strategy: ``pair`` compares each calibrated policy with the references; ``best-vs-worst`` the best and
            worst calibrated response to each prompt; ``all-pairs`` every two; ``sampled`` ``k`` random pairs.
            Of judgements: ``pair``, or ``all-pairs``, every pair that was judged. Of several samples each is a candidate, and two of
            one policy are never compared: an offset moves both alike.
        k: pairs per prompt for ``sampled``.
        temperature: T of the soft labels, in units of the margins; None: the calibrator's, at which ``p_chosen`` is the probability that
            people prefer the chosen response; of offsets 1.
        seed: of the sampling.
        policies: use these policies alone.
        prompts: use these prompt ids alone (a training split, say).
        own: functions of one's own that a calibrator may call (:func:`charm_rm.style.apply_calibrator`).

    Returns:
        Preferences in TRL's conversational format, and the ledger. A label is flipped where the calibrated
        margin has the other sign than the raw one; where the raw margin was 0 there was no label to turn, and
        the pair counts as kept.

    Raises:
        ConfigError: a setting is not usable (with judgements, or at all), ``pair`` has no references to compare with,
            the calibration is in the other unit or of another model, or the source carries the offsets already.
        UnknownPolicy: a policy asked for was neither scored nor judged.
        NoOverlap: the source and the responses have no pair in common.
        NotIdentifiable: every pair is a tie or twice the same text.
    """
    source = as_comparable(source, samples=True)
    responses = as_responses(responses, samples=has_samples(source), of=source)
    calibration = _as_calibration(calibration)
    t, whose = _temperature(temperature, calibration)
    _check_settings(strategy, k, t)
    check_usable(source, calibration)
    names = names_to_use(source, calibration, policies, strategy)
    kept = None if prompts is None else set(prompts)
    if isinstance(source, Scores):
        how = {"k": k, "seed": seed}
        table, pairs, raw = from_scores(source, responses, calibration, names, kept, strategy, **how, own=own)
    else:
        table, pairs, raw = from_judgements(source, responses, calibration, names, kept, strategy, own=own)
    if raw.size == 0:
        raise nothing_to_compare()
    compared = _compare(table, pairs, raw)
    preferences = _preferences(table, responses.frame, compared, t)
    provenance = {
        "verb": "relabel_preferences",
        "strategy": strategy,
        "k": k if strategy == "sampled" else None,
        "temperature": t,
        "temperature_from": whose,
        "seed": seed,
        **_added(table, calibration),
    }
    return Relabelled(Preferences(preferences, provenance=provenance), _ledger(table, compared))


@dataclass(frozen=True, eq=False)
class _Compared:
    """One entry per pair: who meets whom, the calibrated margin, and the fate (index in FATES)."""

    prompt: Indices
    policy: Indices
    reference: Indices
    margin: FloatArray
    fate: Indices


def _as_calibration(given: OffsetsLike | Calibrator) -> Offsets | Calibrator:
    """Offsets or a calibrator, or the file that holds one of them."""
    if isinstance(given, Calibrator):
        return given
    if isinstance(given, str | os.PathLike) and is_calibrator(expanded(given)):
        return load_calibrator(expanded(given))
    return as_offsets(given)


def _temperature(given: float | None, calibration: Offsets | Calibrator) -> tuple[float, str]:
    """T, and where it is from: ``given``, ``calibrator`` or ``default``."""
    if given is not None:
        return given, "given"
    return (
        (calibration.temperature, "calibrator") if isinstance(calibration, Calibrator) else (1.0, "default")
    )


def _added(table: Candidates, calibration: Offsets | Calibrator) -> dict[str, Any]:
    """What was added, for the provenance: each policy's offset, or which calibrator."""
    if isinstance(calibration, Calibrator):
        return {"calibrator": calibration.fingerprint}
    return {"deltas": dict(zip(table.policies, table.deltas[0].tolist(), strict=True))}


def _check_settings(strategy: str, k: int, temperature: float) -> None:
    if strategy not in STRATEGIES:
        raise ConfigError(f"strategy {strategy!r} is not known", fix=f"use one of {', '.join(STRATEGIES)}")
    if k < 1:
        raise ConfigError(f"k is {k}", fix="sample at least 1 pair per prompt")
    if not (np.isfinite(temperature) and temperature > 0):
        raise ConfigError(f"temperature {temperature!r} is not above 0", fix="give a temperature above 0")


def _compare(table: Candidates, pairs: Pairs, raw: FloatArray) -> _Compared:
    """Margins after calibration, and what became of each label."""
    prompt, policy, reference = pairs
    with np.errstate(over="ignore", invalid="ignore"):
        margin = raw + (table.deltas[prompt, policy] - table.deltas[prompt, reference])
    same = table.text[prompt, policy] == table.text[prompt, reference]
    fate = np.select([same, margin == 0, np.sign(raw) * np.sign(margin) < 0], [3, 2, 1], default=0)
    return _Compared(prompt, policy, reference, margin, fate)


def _preferences(
    table: Candidates, responses: pl.DataFrame, compared: _Compared, temperature: float
) -> pl.DataFrame:
    """The kept and flipped pairs as TRL rows. Texts are gathered by row: Polars shares their bytes."""
    used = compared.fate < FATES.index("tied")
    if not used.any():
        raise NotIdentifiable(
            "every pair is a tie or of identical texts: there is no preference",
            fix="check the scores or judgements and the responses",
        )
    prompt, policy, reference = compared.prompt[used], compared.policy[used], compared.reference[used]
    margin = compared.margin[used]
    chosen = np.where(margin > 0, policy, reference)
    rejected = np.where(margin > 0, reference, policy)
    said = responses.select(_messages("response", responses.schema["response"], "assistant"))["response"]
    asked = responses.select(_messages("prompt", responses.schema["prompt"], "user"))["prompt"]
    names, ids = pl.Series(table.policies), pl.Series(table.prompts)
    which = {}
    if table.samples is not None:
        numbers = np.array(table.samples)
        which = {"chosen_sample": numbers[chosen], "rejected_sample": numbers[rejected]}
    return pl.DataFrame(
        {
            "prompt": asked.gather(table.row[prompt, chosen]),
            "chosen": said.gather(table.row[prompt, chosen]),
            "rejected": said.gather(table.row[prompt, rejected]),
            "prompt_id": ids.gather(prompt),
            "chosen_policy": names.gather(chosen),
            "rejected_policy": names.gather(rejected),
            "margin": np.abs(margin),
            "p_chosen": soft_outcomes(np.abs(margin), temperature=temperature),
            "flipped": compared.fate[used] == FATES.index("flipped"),
            **which,
        }
    )


def _messages(column: str, dtype: pl.DataType, role: str) -> pl.Expr:
    """Text as one message of ``role``; messages keep their role and content."""
    if dtype == pl.String:
        message = pl.struct(pl.lit(role).alias("role"), pl.col(column).alias("content"))
        return pl.concat_list(message).alias(column)
    fields = [pl.element().struct.field(f) for f in ("role", "content")]
    return pl.col(column).list.eval(pl.struct(*fields))


def _ledger(table: Candidates, compared: _Compared) -> pl.DataFrame:
    """Count the fates of each pair of policies."""
    first = np.array(
        [table.policies.index(p) for p in table.policies]
    )  # the samples of a policy count together
    names = pl.Series(table.policies)
    k, r = first[compared.policy], first[compared.reference]
    frame = pl.DataFrame({"k": k, "r": r, "fate": compared.fate})
    counts = [(pl.col("fate") == i).sum().cast(pl.Int64).alias(f) for i, f in enumerate(FATES)]
    counted = frame.group_by("k", "r").agg(pl.len().cast(pl.Int64).alias("pairs"), *counts).sort("k", "r")
    sides = {"policy": names.gather(counted["k"]), "reference": names.gather(counted["r"])}
    return pl.DataFrame(sides).hstack(counted.drop("k", "r"))
