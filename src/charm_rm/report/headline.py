"""The first screen: what was found, in a title, a few sentences and a few numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
from markupsafe import Markup

from ..mismatch import METRICS
from ..mismatch.metrics import PLACEBO
from ..mismatch.words import sharpness_words
from .effect import headline_figures, reading
from .gather import Audited, Findings
from .notices import ranking_words
from .significance import BEYOND_CHANCE, significant_rows, was_tested
from .words import count, elo, interval, number, with_interval


def title(findings: Findings) -> str:
    """A headline that says what was found."""
    frame = findings.before.favouritism
    if ranking_words(findings.before) is not None:
        return "This judge does not rank policies as people do"
    if frame is None:
        return "How far is this judge from people?"
    real = significant_rows(frame)
    if not was_tested(frame):
        return "Too little data to say whether this judge plays favourites"
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
        _variants_sentence(findings.before),
        _change_sentence(findings),
    ]
    return [s for s in sentences if s] or [_mismatch_sentence(findings.before)]


def tiles(findings: Findings) -> list[tuple[str, str, str]]:
    """(label, number, note) of the headline figures."""
    found = [
        _favour_tile(findings),
        _sharpness_tile(findings),
        *_mismatch_tiles(findings),
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
    if not was_tested(audited.favouritism):
        return Markup("Favour was not tested for any of {}. The largest estimate is {} Elo, for {}.").format(
            count(total, "policy", "policies"), _elo(top), top["policy"]
        )
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


def _variants_sentence(audited: Audited) -> Markup | None:
    """What another way of counting, such as control for length, makes of the favour shown to one policy."""
    if len(rows := audited.variants) < 2:
        return None
    told = Markup("; ").join(
        Markup("{} <strong>{}&nbsp;Elo</strong> {}").format(r["name"], elo(r["favour"]), _ci(r)) for r in rows
    )
    role = f"{rows[0]['role']}, " if rows[0].get("role") else ""
    return Markup("Favour shown to {}<strong>{}</strong>: {}.").format(role, rows[0]["policy"], told)


def _sharpness_sentence(audited: Audited) -> Markup | None:
    if not audited.sharpness:
        return None
    low, high = audited.sharpness.get("ci_low"), audited.sharpness.get("ci_high")
    ends = f" {interval(low, high, 2)}".rstrip()
    shown = Markup("Sharpness <strong>{}</strong>{}: the judge is ").format(
        number(audited.sharpness["value"], 2), ends
    )
    return shown + f"{sharpness_words(low, high)}."


def _change_sentence(findings: Findings) -> Markup | None:
    """What sharpness and noise leave of the change comes first, the raw mean and the placebo last."""
    if findings.after is None:
        return None
    rows = headline_figures(findings)
    led = [n for n in ("sharpness_fitted_mismatch", "debiased_mismatch", "spearman") if n in rows]
    if not led:
        return None
    told = Markup("After calibration: ") + Markup("; ").join(_change(n, rows[n]) for n in led) + "."
    if (raw := rows.get("mean_abs_mismatch")) is not None:
        told += " Beside it " + _change("mean_abs_mismatch", raw)
        placebo = raw.get("placebo_value")
        told += "." if placebo is None else f" ({PLACEBO}, {number(placebo)})."
    return told


def _change(name: str, row: Mapping[str, Any]) -> Markup:
    metric = METRICS[name]
    told = Markup("{} <strong>{}&nbsp;→&nbsp;{}</strong>").format(
        metric.label, *(number(row.get(v), metric.digits) for v in ("baseline_value", "value"))
    )
    return told if row.get("diff_ci_low") is None else told + f" ({reading(metric, row)})"


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
    return f"{elo(row['favour'])} {_ci(row)}".rstrip()


def _ci(row: Mapping[str, Any]) -> str:
    return interval(row.get("ci_low"), row.get("ci_high"), 0, signed=True)


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


def _mismatch_tiles(findings: Findings) -> list[tuple[str, str, str]]:
    """What sharpness, and what noise, leaves of the mismatch, each with its floor; the raw mean is in the note."""
    rows = headline_figures(findings)
    names = [n for n in ("sharpness_fitted_mismatch", "debiased_mismatch") if n in rows]
    raw = rows.get("mean_abs_mismatch")
    notes = [
        ""
        if raw is None
        else f"raw {_arrow(raw, 3)}{_audit_interval(findings)}, {count(int(raw['n']), 'pair')}"
    ]
    notes.append("less what chance leaves")
    found = []
    for name, note in zip(names, notes, strict=False):
        row, digits = rows[name], METRICS[name].digits
        floor = "" if row.get("floor") is None else f"; noise floor {number(row['floor'], digits)}"
        found.append((METRICS[name].label, _arrow(row, digits), f"{note}{floor}"))
    return found


def _arrow(row: Mapping[str, Any], digits: int) -> str:
    before, after = number(row["baseline_value"], digits), row.get("value")
    return before if after is None else f"{before} → {number(after, digits)}"


def _audit_interval(findings: Findings) -> str:
    """The interval of the first audit's raw mean, over all pairs as the figure itself."""
    found = (findings.before.details.get("summary") or {}).get("mean_abs_mismatch")
    if findings.after is not None or not isinstance(found, Mapping):
        return ""
    return f" {interval(found.get('ci_low'), found.get('ci_high'))}".rstrip()


def _rank_tile(findings: Findings) -> tuple[str, str, str] | None:
    rho = findings.before.spearman
    if rho is None:
        return None
    later = findings.after.spearman if findings.after else None
    value = number(rho.get("value"), 2) + (f" → {number(later.get('value'), 2)}" if later else "")
    return METRICS["spearman"].label, value, f"{interval(rho.get('ci_low'), rho.get('ci_high'), 2)}".strip()
