"""An audit on the terminal: what was found first, favour by policy, mismatch by pair, what could have been seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import counted
from ..estimates import signed
from .common import conclude, echo, heading, interval, interval_column, print_frame, q_column

if TYPE_CHECKING:
    import polars as pl

    from ..mismatch import Audit

ALL_PAIRS = "an outcome is the mean over all pairs of samples, so that each prompt counts once"


def print_audit(found: Audit, *, title: str, top: int) -> None:
    """Print an audit: the headline, favour by policy, mismatch by pair, and the floor."""
    heading(f"Audit of {title}")
    conclude(in_short(found, title=title))
    for line in headline(found):
        echo(f"  {line}")
    if found.favouritism is not None:
        _print_favour(found.favouritism.frame, top=top)
    if found.candidates is not None:
        _print_candidates(found.candidates.frame)
    _print_mismatch(found, top=top)
    if (floor := _floor_line(found)) is not None:
        echo(floor)


def headline(found: Audit) -> list[str]:
    """What was found, in a few lines; an RM that ranks upside down is told first."""
    from ..mismatch.metrics import WHAT_P_IS, in_order, say_figure
    from ..mismatch.summary import say_largest
    from ..mismatch.words import counted_verdicts

    summary = found.summary
    in_sample = [] if found.in_sample is None else [str(found.in_sample)]
    lines = [*in_sample, *_upside_down(found), *_extent(found), *_favour_lines(found)]
    lines.append(f"agreement with people ({WHAT_P_IS}):")
    lines += [f"  {say_figure(row)}" for row in in_order(summary["effect"])]
    if summary["largest_mismatch"] is not None:
        lines.append(say_largest(summary["largest_mismatch"], len(found.mismatch)))
    pairs = f"pairs at a false discovery rate of {summary['significance']:.0%}"
    lines.append(f"{pairs}: {counted_verdicts(summary['verdicts'])}")
    return lines


def in_short(found: Audit, *, title: str) -> str:
    """The audit in one line: verdicts, the most favoured policy, rank correlation; upside down comes first."""
    from ..mismatch.words import counted_verdicts

    parts = _upside_down(found)
    if found.favouritism is not None:
        first = found.favouritism.frame.row(0, named=True)
        parts += [
            f"favour {counted_verdicts(found.summary['favour_verdicts'])}",
            f"most favoured {first['policy']}, {favour_words(first)}",
        ]
    spearman = found.rank_correlation.get("spearman")
    parts += [] if spearman is None else [f"Spearman {interval(spearman)}"]
    return f"{title}: {'; '.join(parts)}"


def favour_words(row: dict[str, Any]) -> str:
    """``+121 Elo [+89, +157]``; an end that is open is said to be."""
    low, high = row["ci_low"], row["ci_high"]
    if low is None and high is None:
        return f"{signed(row['favour'])} Elo (no interval)"
    ends = ("(open" if low is None else f"[{signed(low)}", "open)" if high is None else f"{signed(high)}]")
    return f"{signed(row['favour'])} Elo {ends[0]}, {ends[1]}"


def _floor_line(found: Audit) -> str | None:
    """What favour this audit could have seen, in one line."""
    from ..mismatch.words import detectable_words

    seen = found.summary["detectable_favour"]
    if seen is None:
        return None
    words = detectable_words(seen, policies=found.summary["policies"], prompts=found.summary["prompts"])
    return f"Power: {words}"


def _upside_down(found: Audit) -> list[str]:
    from ..mismatch.words import upside_down_words

    spearman = found.rank_correlation.get("spearman")
    words = None if spearman is None else upside_down_words(spearman, found.summary["slope"])
    return [] if words is None else [words]


def _extent(found: Audit) -> list[str]:
    summary, settings = found.summary, found.provenance["settings"]
    prompts = f" on {counted(summary['prompts'], 'prompt')}" if summary["prompts"] else ""
    lines = [
        f"{counted(summary['policies'], 'policy', 'policies')}{prompts}, {counted(summary['pairs'], 'pair')} compared"
    ]
    if summary.get("samples"):
        from ..samples import say_samples

        lines.append(f"{say_samples(summary['samples'])}; {ALL_PAIRS}")
    if settings["outcome"] == "soft":
        lines.append(f"win rates are soft: mean sigmoid(margin / {settings['temperature']:g})")
    if summary["rated_not_scored"]:
        names = ", ".join(summary["best_not_scored"])
        lines.append(
            f"rated but not audited: {counted(summary['rated_not_scored'], 'policy', 'policies')} ({names}, ...)"
        )
    return lines


def _favour_lines(found: Audit) -> list[str]:
    from ..mismatch.words import SCOPES, counted_verdicts, sharpness_words

    if found.favouritism is None or found.sharpness is None:
        return []
    frame, sharpness = found.favouritism.frame, found.sharpness
    first, last = frame.row(0, named=True), frame.row(-1, named=True)
    words = sharpness_words(sharpness.ci_low, sharpness.ci_high)
    return [
        f"favour: {counted_verdicts(found.summary['favour_verdicts'])} ({SCOPES[found.favouritism.scope]})",
        *(f"{which} favoured: {r['policy']}, {favour_words(r)}, {r['verdict']}" for which, r in (("most", first), ("least", last))),
        f"sharpness: {interval(sharpness)}, {words}",
    ]  # fmt: skip


def _print_favour(frame: pl.DataFrame, *, top: int) -> None:
    import polars as pl

    from ..mismatch.words import WHY_NOT_THE_DIFFERENCE

    favour = frame.select(
        "policy",
        pl.col("favour").round(1),
        interval_column(1),
        q_column(),
        "verdict",
        pl.col("rm_elo").round(0).cast(pl.Int64),
        pl.col("arena_elo").round(0).cast(pl.Int64),
    )
    print_frame(
        favour,
        title="Favour in Elo points, most over-valued first",
        digits=1,
        limit=top,
        tail=3,
        extra=("q", "arena_elo", "rm_elo"),
        full=frame,
    )
    echo(WHY_NOT_THE_DIFFERENCE)
    echo()


def _print_candidates(frame: pl.DataFrame) -> None:
    """Policies without a rating: never a favour, but for what style leads one to expect."""
    import polars as pl

    from ..mismatch.words import WHAT_IMPLIED_IS, WHAT_PREDICTED_IS, WHAT_STYLE_FAVOUR_IS

    styled = "style_favour" in frame.columns
    shown = frame.select(
        "policy",
        "n",
        pl.col("implied_elo").round(0).cast(pl.Int64).alias("implied"),
        interval_column(0, plus=False),
        interval_column(0, ends=("predicted_low", "predicted_high"), name="rating", plus=False),
        *(
            [
                pl.col("style_favour").round(0).cast(pl.Int64).alias("style"),
                interval_column(0, ends=("style_ci_low", "style_ci_high"), name="style 95 % CI"),
                pl.col("corrected_elo").round(0).cast(pl.Int64).alias("corrected"),
            ]
            if styled
            else []
        ),
    )
    print_frame(
        shown,
        title="Candidates: policies without a human rating, on the scale of the rated ones (Elo)",
        extra=("n",),
        full=frame,
    )
    echo(f"{WHAT_IMPLIED_IS}.")
    echo(f"{WHAT_PREDICTED_IS}.")
    if styled:
        echo(f"{WHAT_STYLE_FAVOUR_IS}.")
    echo()


def _print_mismatch(found: Audit, *, top: int) -> None:
    import polars as pl

    from ..mismatch.words import WHY_PAIRS_DIFFER

    mismatch = found.mismatch.frame.select(
        "policy",
        "reference",
        "n",
        "win_rate",
        "expected",
        "mismatch",
        interval_column(3),
        pl.col("mismatch_degree").alias("degree"),
        q_column(),
        "verdict",
    )
    title = "Mismatch of pairs: win rate minus expected"
    if mismatch["reference"].n_unique() == 1 < mismatch.height:
        title, mismatch = f"{title}, all against {mismatch['reference'][0]}", mismatch.drop("reference")
    print_frame(
        mismatch,
        title=title,
        limit=top,
        tail=3,
        extra=("n", "q", "degree", "expected", "win_rate"),
        full=found.mismatch.frame,
    )
    if found.favouritism is not None:
        echo(WHY_PAIRS_DIFFER)
        echo()
