"""The first screen: what was found, in a title, a few sentences and a few numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import polars as pl
from markupsafe import Markup

from ..mismatch.words import sharpness_words
from .gather import Audited, Findings
from .groups import Group, groups
from .notices import ranking_words
from .significance import BEYOND_CHANCE, significant_rows
from .words import count, elo, interval, number, with_interval


def title(findings: Findings) -> str:
    """A headline that says what was found."""
    frame = findings.before.favouritism
    if ranking_words(findings.before) is not None:
        return "This judge does not rank policies as people do"
    if frame is None:
        return "How far is this judge from people?"
    real = significant_rows(frame)
    if real.is_empty():
        return "This judge shows no favourites beyond chance"
    if findings.after is None:
        does = "plays favourites with" if (real["favour"] > 0).any() else "under-values"
        return f"This judge {does} {count(real.height, 'policy', 'policies')} of {frame.height}"
    return "This judge played favourites. Here is what calibration changed"


def verdict(findings: Findings) -> list[Markup]:
    """The first screen's sentences, most important first; all text from data is escaped."""
    sentences = [
        _favour_sentence(findings.before),
        _sharpness_sentence(findings.before),
        _change_sentence(findings),
    ]
    return [s for s in sentences if s] or [_mismatch_sentence(findings.before)]


def tiles(findings: Findings) -> list[tuple[str, str, str]]:
    """(label, number, note) of the headline figures."""
    found = [
        _favour_tile(findings),
        _sharpness_tile(findings),
        _mismatch_tile(findings),
        _rank_tile(findings),
    ]
    return [t for t in found if t]


# --- sentences ----------------------------------------------------------------------------------


def _favour_sentence(audited: Audited) -> Markup | None:
    if audited.favouritism is None:
        return None
    top, bottom = _extremes(audited.favouritism)
    real = significant_rows(audited.favouritism).height
    total = audited.favouritism.height
    if not real:
        return Markup("No favourites beyond chance among {}: the largest favour is {} Elo, for {}.").format(
            count(total, "policy", "policies"), _elo(top), top["policy"]
        )
    told = Markup("Most favoured: <strong>{}</strong>, <strong class=\"{}\">{}&nbsp;Elo</strong> {} beyond what people think of it.").format(
        top["policy"], "over" if top["favour"] > 0 else "under", elo(top["favour"]), _ci(top)
    )  # fmt: skip
    if bottom["favour"] < 0:
        told += Markup(' Least: <strong>{}</strong>, <strong class="under">{}&nbsp;Elo</strong> {}.').format(
            bottom["policy"], elo(bottom["favour"]), _ci(bottom)
        )
    return told + Markup(" {} of {} {} over-valued or under-valued beyond chance ({}).").format(
        real, count(total, "policy", "policies"), "is" if real == 1 else "are", BEYOND_CHANCE
    )


def _sharpness_sentence(audited: Audited) -> Markup | None:
    if not audited.sharpness:
        return None
    low, high = audited.sharpness.get("ci_low"), audited.sharpness.get("ci_high")
    shown = Markup("Sharpness <strong>{}</strong> {}: the judge is ").format(
        number(audited.sharpness["value"], 2), interval(low, high, 2)
    )
    return shown + f"{sharpness_words(low, high)}."


def _change_sentence(findings: Findings) -> Markup | None:
    if findings.after is None:
        return None
    changes = [
        Markup("<strong>{}&nbsp;→&nbsp;{}</strong> on {} ({})").format(
            number(g.before), number(g.after), _said(g), count(g.pairs, "pair")
        )
        for g in groups(findings)
        if g.kind != "policies"
    ]
    return Markup("After calibration, mean |P̂ − P| went ") + Markup(", ").join(changes) + "."


def _said(group: Group) -> str:
    return f"the {group.name.lower()}" if group.kind == "pairs" else group.name.lower()


def _mismatch_sentence(audited: Audited) -> Markup:
    row = audited.mismatch.sort(pl.col("mismatch").abs(), descending=True).row(0, named=True)
    return Markup("Largest mismatch: <strong>{}</strong> against <strong>{}</strong>, P̂ − P {}.").format(
        row["policy"], row["reference"], with_interval(row, "mismatch", signed=True)
    )


def _extremes(favouritism: pl.DataFrame) -> tuple[dict[str, Any], dict[str, Any]]:
    """The most and the least favoured policy."""
    ordered = favouritism.sort("favour", descending=True).to_dicts()
    return ordered[0], ordered[-1]


def _elo(row: Mapping[str, Any]) -> str:
    return f"{elo(row['favour'])} {_ci(row)}"


def _ci(row: Mapping[str, Any]) -> str:
    return interval(row["ci_low"], row["ci_high"], 0, signed=True)


# --- tiles --------------------------------------------------------------------------------------


def _favour_tile(findings: Findings) -> tuple[str, str, str] | None:
    if findings.before.favouritism is None:
        return None
    top, _ = _extremes(findings.before.favouritism)
    value, note = elo(top["favour"]), f"{top['policy']} {_ci(top)}"
    if findings.after is not None and findings.after.favouritism is not None:
        later = findings.after.favouritism.filter(pl.col("policy") == top["policy"])
        value = f"{value} → {elo(later['favour'][0])}" if later.height else value
    return "Largest favour, Elo", value, note


def _sharpness_tile(findings: Findings) -> tuple[str, str, str] | None:
    first, last = findings.before.sharpness, findings.after.sharpness if findings.after else None
    if not first:
        return None
    value = number(first["value"], 2) + (f" → {number(last['value'], 2)}" if last else "")
    return "Sharpness", value, f"{interval(first.get('ci_low'), first.get('ci_high'), 2)} people = 1".strip()


def _mismatch_tile(findings: Findings) -> tuple[str, str, str]:
    everything = groups(findings)[-1]
    value = number(everything.before) + (
        f" → {number(everything.after)}" if everything.after is not None else ""
    )
    return (
        "Mean |P̂ − P|",
        value,
        f"{_mean_interval(findings.before, everything.before)} {count(everything.pairs, 'pair')}".strip(),
    )


def _mean_interval(audited: Audited, shown: float) -> str:
    """The audit's own interval of the mean, where it gives one of the figure ``shown``.

    The audit's is over all pairs; the mean over the pairs of chosen references is another figure.
    """
    found = audited.details.get("summary", {}).get("mean_abs_mismatch")
    if not isinstance(found, Mapping) or abs(found.get("value", math.inf) - shown) > 1e-9:
        return ""
    return interval(found.get("ci_low"), found.get("ci_high"))


def _rank_tile(findings: Findings) -> tuple[str, str, str] | None:
    rho = findings.before.spearman
    if rho is None:
        return None
    later = findings.after.spearman if findings.after else None
    value = number(rho.get("value"), 2) + (f" → {number(later.get('value'), 2)}" if later else "")
    return "Rank correlation", value, f"Spearman {interval(rho.get('ci_low'), rho.get('ci_high'), 2)}".strip()
