"""The nouns of the pipeline, in its order: what each table holds and what must be true of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from ..errors import SchemaError
from ..estimates import Z95, Estimate
from .schema import ANY, NUMBER, TEXT, TRUTH, WHOLE, Column, Table, refuse, refuse_self_pairs


def _text(name: str, **more: Any) -> Column:
    return Column(name, TEXT, **more)


def _optional(name: str, kind: str = NUMBER, **more: Any) -> Column:
    return Column(name, kind, required=False, nullable=True, **more)


# Differences of ratings go into powers of ten: a tenth of this is odds beyond any number.
_LARGEST_ELO = 1e6


class Battles(Table):
    """Human (or judge) votes between two policies.

    ``winner`` is ``a``, ``b``, ``tie`` or ``both_bad``; anything else is an error. Extra numeric columns
    are kept: they may serve as style covariates.
    """

    noun = "battles"
    columns = (
        _text("policy_a"),
        _text("policy_b"),
        _text("winner"),
        _optional("prompt_id", TEXT),
        _optional("weight", low=0.0),
    )
    keeps_extra_columns = True
    # What a vote is worth to policy_a: a tie, and both bad, is half a win.
    worth: ClassVar[dict[str, float]] = {"a": 1.0, "b": 0.0, "tie": 0.5, "both_bad": 0.5}
    outcomes: ClassVar[tuple[str, ...]] = tuple(worth)

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = ~pl.col("winner").is_in(self.outcomes)
        refuse(
            self,
            unknown,
            "winner",
            lambda v: f"winner {v!r} is not one of {', '.join(self.outcomes)}",
            fix="map the labels first; an unknown label is never counted as a tie",
        )
        refuse(
            self,
            pl.col("policy_a") == pl.col("policy_b"),
            "policy_a",
            lambda v: f"policy {v!r} battles itself",
            fix="drop these rows",
        )


@dataclass(frozen=True, eq=False, repr=False)
class Ratings(Table):
    """Human-preference ratings on the Elo scale (400 / ln 10 per unit of log-odds).

    ``covariance`` is the full (K, K) covariance in Elo points squared, in row order, where known.
    ``std_err`` is filled from the 95 % interval, or the interval from it, where only one is given.
    """

    covariance: np.ndarray | None = None

    noun: ClassVar[str] = "ratings"
    columns: ClassVar[tuple[Column, ...]] = (
        _text("policy"),
        Column("rating", low=-_LARGEST_ELO, high=_LARGEST_ELO),
        _optional("std_err", low=0.0, high=_LARGEST_ELO),
        _optional("ci_low"),
        _optional("ci_high"),
        _optional("votes", WHOLE, low=0),
        _optional("category", TEXT),
        _optional("date", TEXT),
        _optional("source", TEXT),
    )
    key: ClassVar[tuple[str, ...]] = ("policy", "category", "date")

    def __post_init__(self) -> None:
        super().__post_init__()
        _refuse_errors_beside_another_interval(self.frame)
        object.__setattr__(self, "frame", _with_std_err(self.frame))
        _refuse_ratings_outside_their_interval(self.frame)
        if self.covariance is not None and self.covariance.shape != (len(self), len(self)):
            raise SchemaError(
                f"ratings: covariance has shape {self.covariance.shape} for {len(self)} policies",
                fix="give one row and column per policy, in row order, or no covariance",
            )

    def payload(self) -> dict[str, Any]:
        covariance = None if self.covariance is None else self.covariance.tolist()
        return super().payload() | {"covariance": covariance}

    @classmethod
    def restore(cls, frame: pl.DataFrame, payload: Mapping[str, Any]) -> Self:
        covariance = payload.get("covariance")
        array = None if covariance is None else np.asarray(covariance, dtype=np.float64)
        return cls(frame, provenance=payload.get("provenance", {}), covariance=array)


_SAMPLE = Column("sample", WHOLE, required=False, low=0)


class Prompts(Table):
    """What policies are asked. ``prompt`` is text or a list of ``{role, content}`` messages; other columns say where it comes from."""

    noun = "prompts"
    columns = (_text("prompt_id"), Column("prompt", ANY))
    key = ("prompt_id",)
    keeps_extra_columns = True


class Responses(Table):
    """One response per (prompt, policy), or per (prompt, policy, sample). ``prompt`` is text or a list of ``{role, content}`` messages.

    ``sample`` numbers a policy's answers to one prompt; verbs that compare single responses refuse several (:mod:`charm_rm.samples`).
    """

    noun = "responses"
    columns = (_text("prompt_id"), Column("prompt", ANY), _text("policy"), _text("response"), _SAMPLE)
    key = ("prompt_id", "policy", "sample")
    keeps_extra_columns = True


class Scores(Table):
    """Scalar rewards, higher is better, same key as the responses they score.

    ``text_hash`` is a short hash of the prompt and response scored (:mod:`charm_rm.text_hash`).
    """

    noun = "scores"
    columns = (
        _text("prompt_id"),
        _text("policy"),
        Column("score"),
        _optional("n_tokens", WHOLE, low=0),
        _optional("truncated", TRUTH),
        _optional("text_hash", TEXT),
        _SAMPLE,
    )
    key = ("prompt_id", "policy", "sample")


class Margins(Table):
    """Log-odds-like preference of ``policy`` over ``reference`` on one prompt; above 0 prefers ``policy``.

    ``p_first`` and ``p_second`` are a judge's probability that ``policy`` is better when it is shown first, and when it
    is shown second; null where that order was not asked or gave no verdict.
    """

    noun = "margins"
    columns = (
        _text("prompt_id"),
        _text("policy"),
        _text("reference"),
        Column("margin"),
        _optional("p_first", low=0.0, high=1.0),
        _optional("p_second", low=0.0, high=1.0),
    )
    key = ("prompt_id", "policy", "reference")

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_self_pairs(self)


class WinRates(Table):
    """Share of prompts on which ``policy`` beats ``reference``, from margins or as published."""

    noun = "win rates"
    columns = (
        _text("policy"),
        _text("reference"),
        Column("win_rate", low=0.0, high=1.0),
        _optional("n", WHOLE, low=1),
        _optional("wins", low=0.0),
        _optional("ties", low=0.0),
        _optional("std_err", low=0.0),
        _optional("win_rate_soft", low=0.0, high=1.0),
    )
    key = ("policy", "reference")

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_self_pairs(self)


class Mismatch(Table):
    """Audited win rate beside the one that human ratings imply, per pair.

    ``mismatch`` is the signed difference win_rate - expected (positive: ``policy`` wins too often), with
    ``ci_low``/``ci_high`` (of that row alone). ``mismatch_shrunk`` and ``simultaneous_ci_low``/``high`` hold for rows chosen
    by their figures, the top ones of a sorted table, too. ``mismatch_degree`` is |mismatch| / max(expected, 1 - expected). The ``_soft``
    columns repeat them for the mean of sigmoid(margin / temperature).
    """

    noun = "mismatch"
    columns = (
        _text("policy"),
        _text("reference"),
        Column("n", WHOLE, nullable=True),
        Column("win_rate"),
        Column("expected"),
        Column("mismatch"),
        Column("ci_low", nullable=True),
        Column("ci_high", nullable=True),
        _optional("mismatch_shrunk"),
        _optional("simultaneous_ci_low"),
        _optional("simultaneous_ci_high"),
        Column("mismatch_degree"),
        Column("mismatch_degree_ci_low", nullable=True),
        Column("mismatch_degree_ci_high", nullable=True),
        Column("p_value", nullable=True),
        Column("q_value", nullable=True),
        _text("verdict"),
        Column("win_rate_soft", nullable=True),
        Column("mismatch_soft", nullable=True),
        Column("mismatch_degree_soft", nullable=True),
    )
    key = ("policy", "reference")


@dataclass(frozen=True, eq=False, repr=False)
class Favouritism(Table):
    """Favour shown to each policy in Elo points, free of any one reference, and the RM's ``sharpness``.

    Of an interval that is open to one side, or to both, that end is null. ``scope`` is what intervals and tests are about:
    ``sample``, for policies like these, or ``these`` policies alone.
    """

    sharpness: Estimate | None = None
    scope: str = "sample"

    noun: ClassVar[str] = "favouritism"
    columns: ClassVar[tuple[Column, ...]] = (
        _text("policy"),
        Column("rm_elo"),
        Column("arena_elo"),
        Column("favour"),
        Column("std_err"),
        Column("ci_low", nullable=True),
        Column("ci_high", nullable=True),
        Column("p_value", nullable=True),
        Column("q_value", nullable=True),
        _optional("verdict", TEXT),
    )
    key: ClassVar[tuple[str, ...]] = ("policy",)

    def payload(self) -> dict[str, Any]:
        sharpness = None if self.sharpness is None else vars(self.sharpness)
        return super().payload() | {"sharpness": sharpness, "scope": self.scope}

    @classmethod
    def restore(cls, frame: pl.DataFrame, payload: Mapping[str, Any]) -> Self:
        sharpness = payload.get("sharpness")
        estimate = None if sharpness is None else Estimate(**sharpness)
        scope = payload.get("scope", "sample")
        return cls(frame, provenance=payload.get("provenance", {}), sharpness=estimate, scope=scope)


class Candidates(Table):
    """Policies without a human rating, placed by the RM beside rated ones; Elo points.

    ``implied_elo`` is the rating at which the line of the rated policies has the candidate's strength: what people would rate it if the RM
    favoured it like the average policy, with ``ci_low`` and ``ci_high``. ``predicted_low`` and ``predicted_high`` are a 95 % interval of the
    rating itself: the candidate may be favoured as the rated policies are. ``style_favour`` is the favour to expect from its style, where a
    calibrator was given: null without one. ``corrected_elo`` is the implied rating with style taken off; it has no interval, as the weights were
    fitted to the rated policies, whose scatter about the corrected line is too small for that.
    """

    noun = "candidates"
    columns = (
        _text("policy"),
        Column("n", WHOLE, low=0),
        Column("rm_elo"),
        Column("implied_elo"),
        Column("std_err", nullable=True),
        Column("ci_low", nullable=True),
        Column("ci_high", nullable=True),
        Column("predicted_low", nullable=True),
        Column("predicted_high", nullable=True),
        _optional("style_favour"),
        _optional("style_std_err"),
        _optional("style_ci_low"),
        _optional("style_ci_high"),
        _optional("corrected_elo"),
    )
    key = ("policy",)


@dataclass(frozen=True, eq=False, repr=False)
class Offsets(Table):
    """Score offset ``delta`` per policy (score units; reference policies have 0).

    ``attained`` is in-sample, on the prompts that the offset was solved on; ``attained_cross_fitted`` is what as many fresh prompts
    would show. ``ci_open`` (``low``, ``high``, ``both``) says which end of the interval the data do not set; it is null there.
    ``residuals`` lists, per pair used, the win rate before and after, its target, and ``after_cross_fitted``.
    """

    residuals: pl.DataFrame | None = None

    def tables(self) -> dict[str, pl.DataFrame]:
        """``frame``, and ``residuals`` where they are known."""
        more = {} if self.residuals is None else {"residuals": self.residuals}
        return {"frame": self.frame, **more}

    noun: ClassVar[str] = "offsets"
    columns: ClassVar[tuple[Column, ...]] = (
        _text("policy"),
        Column("delta"),
        Column("std_err", nullable=True),
        Column("ci_low", nullable=True),
        Column("ci_high", nullable=True),
        Column("is_reference", TRUTH),
        Column("target", nullable=True),
        Column("attained", nullable=True),
        _optional("attained_cross_fitted"),
        _optional("ci_open", TEXT),
    )
    key: ClassVar[tuple[str, ...]] = ("policy",)

    def payload(self) -> dict[str, Any]:
        residuals = None if self.residuals is None else self.residuals.to_dict(as_series=False)
        return super().payload() | {"residuals": residuals}

    @classmethod
    def restore(cls, frame: pl.DataFrame, payload: Mapping[str, Any]) -> Self:
        residuals = payload.get("residuals")
        table = None if residuals is None else pl.DataFrame(residuals)
        return cls(frame, provenance=payload.get("provenance", {}), residuals=table)


class Preferences(Table):
    """Preference pairs for reward-model training, TRL's conversational format.

    ``prompt``, ``chosen`` and ``rejected`` are lists of ``{role, content}`` messages; ``margin`` is the
    calibrated margin in score units (chosen minus rejected, at least 0); ``p_chosen`` is
    sigmoid(margin / temperature); ``flipped`` says that calibration turned the label.
    """

    noun = "preferences"
    columns = (
        Column("prompt", ANY),
        Column("chosen", ANY),
        Column("rejected", ANY),
        _optional("prompt_id", TEXT),
        _optional("chosen_policy", TEXT),
        _optional("rejected_policy", TEXT),
        _optional("margin"),
        _optional("p_chosen", low=0.0, high=1.0),
        _optional("flipped", TRUTH),
    )
    keeps_extra_columns = True


def _with_std_err(frame: pl.DataFrame) -> pl.DataFrame:
    """Fill std_err from the 95 % interval, and the interval from std_err."""
    for name in ("std_err", "ci_low", "ci_high"):
        if name not in frame.columns:
            frame = frame.with_columns(pl.lit(None, dtype=pl.Float64).alias(name))
    rating, error = pl.col("rating"), pl.col("std_err")
    frame = frame.with_columns(
        error.fill_null((pl.col("ci_high") - pl.col("ci_low")) / (2 * Z95)).alias("std_err")
    )
    return frame.with_columns(
        pl.col("ci_low").fill_null(rating - Z95 * error), pl.col("ci_high").fill_null(rating + Z95 * error)
    )


_TIMES = 1.5  # as far as intervals of skewed draws, or of a level near 95 %, lie from their standard errors


def _refuse_errors_beside_another_interval(frame: pl.DataFrame) -> None:
    """A std_err and a 95 % interval of the same row say the same thing: half the interval is about 1.96 std_err.

    What rounding does is let through, half a unit of each figure (whole numbers: 1, else 0.1), and up to a factor of 1.5.
    """
    if not {"std_err", "ci_low", "ci_high"} <= set(frame.columns):
        return
    error, low, high = pl.col("std_err"), pl.col("ci_low"), pl.col("ci_high")
    implied = (high - low) / (2 * Z95)
    ends = pl.when((low == low.round()) & (high == high.round())).then(0.5).otherwise(0.05) / Z95
    slack = ends + pl.when(error == error.round()).then(0.5).otherwise(0.05)
    bad = (error > _TIMES * implied + slack) | (implied > _TIMES * error + slack)
    _refuse_ratings(
        frame,
        bad,
        lambda row: (
            f"std_err {row['std_err']:g} contradicts its interval [{row['ci_low']:g}, {row['ci_high']:g}], "
            f"which as a 95 % one says {(row['ci_high'] - row['ci_low']) / (2 * Z95):.3g}"
        ),
        fix="give the standard error (not the half-width of an interval), or leave out one of the two",
    )


def _refuse_ratings_outside_their_interval(frame: pl.DataFrame) -> None:
    """A rating below its lower or above its upper end is a mistake in the file: columns exchanged, or mixed snapshots.

    What rounding does is let through: half a point where the rating is whole, 0.01 elsewhere.
    """
    slack = pl.when(pl.col("rating") == pl.col("rating").round()).then(0.5).otherwise(0.01)
    outside = (pl.col("rating") < pl.col("ci_low") - slack) | (pl.col("rating") > pl.col("ci_high") + slack)
    _refuse_ratings(
        frame,
        outside,
        lambda row: (
            f"rating {row['rating']:g} lies outside its own interval [{row['ci_low']:g}, {row['ci_high']:g}]"
        ),
        fix="check which columns are the lower and the upper end, and that rating and interval are of one snapshot",
    )


def _refuse_ratings(
    frame: pl.DataFrame, bad: pl.Expr, what: Callable[[dict[str, Any]], str], *, fix: str
) -> None:
    """Raise where ``bad`` holds in any row, telling of the first and counting the others."""
    rows = frame.select(bad.fill_null(False).arg_true()).to_series()
    if rows.len():
        row = frame.row(rows[0], named=True)
        more = f" ({rows.len()} such rows)" if rows.len() > 1 else ""
        raise SchemaError(
            f"policy {row['policy']!r}: {what(row)}{more}", where=f"ratings, row {rows[0]}", fix=fix
        )


def as_messages(prompt: str | Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Return a prompt as chat messages; bare text is one user turn."""
    if isinstance(prompt, str):
        return [{"role": "user", "content": prompt}]
    return [{"role": m["role"], "content": m["content"]} for m in prompt]
