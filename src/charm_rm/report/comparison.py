"""Several models side by side as one self-contained page, with the looks of every report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
from markupsafe import Markup

from .. import store
from ..comparison import NO_DIFFERENCE, ModelComparison
from ..mismatch import METRICS
from ..mismatch.metrics import WHAT_P_IS
from ..provenance import versions
from . import words
from .charts import Point, Row, Tile, heat_map, interval_rows, scatter
from .figures._registry import Figure, Picture, both
from .figures._rows import colour_role
from .listings import Listing
from .page import asset, content_policy, environment
from .theme import css_variables
from .words import chance, clean, elo, interval, number

_MOST = 24  # differences of favour in the figure


def write_comparison(found: ModelComparison, path: Path) -> Path:
    """Write the page of a comparison.

    Raises:
        WriteFailed: the file system refused.
    """
    return store.write_text(render_comparison(found), path, force=True)


def render_comparison(found: ModelComparison) -> str:
    """The page as HTML text: it fetches nothing, and text from data is escaped."""
    css, script = css_variables() + asset("style.css"), asset("page.js")
    page = environment().get_template("comparison.html.j2")
    return page.render(
        heading=clean(", ".join(found.models)),
        finding=_finding(found),
        verdict=list(_verdict(found)),
        facts=list(_facts(found)),
        models=[clean(name) for name in found.models],
        reference=clean(found.reference),
        figures=[Figure(name, title, "evaluation", picture) for name, title, picture in _figures(found)],
        rows=_figure_table(found),
        differences=_difference_listing(found),
        favour=_favour_listing(found),
        favour_differences=_favour_gap_listing(found),
        pareto=_pareto_listing(found),
        warnings=[clean(text) for text in found.warnings],
        provenance=Listing(
            "provenance", "Provenance", [("Key", False), ("Value", False)], words.flatten(found.provenance)
        ),
        what_p_is=WHAT_P_IS,
        css=Markup(css),
        script=Markup(script),
        policy=content_policy(css, script),
        version=versions().get("charm-rm", ""),
        count=words.count,
    )


# --- what it says ---------------------------------------------------------------------------------


def _finding(found: ModelComparison) -> str:
    """The title: who is dominated, else how many differences are beyond chance."""
    beaten = [r for r in found.pareto.iter_rows(named=True) if r["standing"] == "dominated"]
    if beaten:
        return "; ".join(f"{clean(r['model'])} is dominated by {clean(', '.join(r['by']))}" for r in beaten)
    beyond = sum(r not in NO_DIFFERENCE for r in found.differences["reading"])
    if beyond == 0:
        return f"No difference between {words.count(len(found.models), 'model')} is beyond chance"
    return f"{len(found.models)} models, {words.count(beyond, 'difference')} beyond chance"


def _verdict(found: ModelComparison) -> Iterator[str]:
    for row in found.differences.iter_rows(named=True):
        if row["reading"] not in NO_DIFFERENCE:
            yield f"{clean(row['model'])} is {row['reading']} than {clean(row['baseline'])}: {label(row)} {_shown(row, 'difference', sign=True)}, q = {chance(row['q_value'])}."


def _facts(found: ModelComparison) -> Iterator[tuple[str, str]]:
    summary = found.summary
    yield "Compared with", clean(found.reference)
    if summary["prompts"]:
        yield (
            "Human ratings",
            f"{words.count(summary['policies'], 'policy', 'policies')} on {words.count(summary['prompts'], 'prompt')} that all have",
        )
    if summary["benchmarks"]:
        names = (f"{b} (partial)" if b in summary["partial"] else b for b in summary["benchmarks"])
        yield "Benchmarks", clean(", ".join(names))


def label(row: Mapping[str, Any]) -> str:
    """A figure in words, with its unit."""
    if row["kind"] == "benchmark":
        return f"{clean(row['figure'])}, %"
    return METRICS[row["figure"]].label if row["figure"] in METRICS else clean(row["figure"])


def _shown(row: Mapping[str, Any], name: str, *, sign: bool = False) -> str:
    scale, digits = _scale(row)
    if row[name] is None:
        return "–"
    low, high = (None if row[end] is None else scale * row[end] for end in ("ci_low", "ci_high"))
    return f"{number(scale * row[name], digits, signed=sign)} {interval(low, high, digits, signed=sign)}".rstrip()


def _scale(row: Mapping[str, Any]) -> tuple[float, int]:
    if row["kind"] == "benchmark":
        return 100.0, 1
    return 1.0, METRICS[row["figure"]].digits if row["figure"] in METRICS else 2


# --- tables ---------------------------------------------------------------------------------------


def _figure_table(found: ModelComparison) -> list[dict[str, Any]]:
    """Per figure its name, meaning, and a cell by model: value, noise floor, and the difference from the reference."""
    values = {(r["figure"], r["model"]): r for r in found.figures.iter_rows(named=True)}
    gaps = {
        (r["figure"], r["model"]): r
        for r in found.differences.iter_rows(named=True)
        if r["baseline"] == found.reference
    }
    rows = []
    for figure in found.figures["figure"].unique(maintain_order=True):
        some = [values.get((figure, model)) for model in found.models]
        known = next(row for row in some if row is not None)
        meaning = METRICS[figure].meaning if figure in METRICS else ""
        cells = [_cell(row, gaps.get((figure, model))) for row, model in zip(some, found.models, strict=True)]
        rows.append({"name": label(known), "meaning": meaning, "cells": cells})
    return rows


def _cell(row: Mapping[str, Any] | None, gap: Mapping[str, Any] | None) -> dict[str, str]:
    if row is None:
        return {"value": "–", "floor": "", "gap": "", "role": ""}
    told = "" if gap is None else f"{_shown(gap, 'difference', sign=True)}, q = {chance(gap['q_value'])}"
    role = {"better": "under", "worse": "over"}.get(gap["reading"], "") if gap else ""
    scale, digits = _scale(row)
    floor = "" if row["floor"] is None else f"noise floor {number(scale * row['floor'], digits)}"
    return {
        "value": _shown(row, "value"),
        "floor": floor,
        "gap": told,
        "role": role,
        "reading": gap["reading"] if gap else "",
    }


def _difference_listing(found: ModelComparison) -> Listing:
    columns = ["Model", "Against", "Figure", "Value", "Other", "Difference", "p", "q", "Reading"]
    rows = [
        [
            clean(r["model"]),
            clean(r["baseline"]),
            label(r),
            *(number(_scale(r)[0] * r[name], _scale(r)[1]) for name in ("value", "baseline_value")),
            _shown(r, "difference", sign=True),
            chance(r["p_value"]),
            chance(r["q_value"]),
            r["reading"],
        ]
        for r in found.differences.iter_rows(named=True)
    ]
    numbers = {"Value", "Other", "Difference", "p", "q"}
    return Listing("differences", "Every difference", [(c, c in numbers) for c in columns], rows)


def _favour_listing(found: ModelComparison) -> Listing | None:
    if not found.favour.height:
        return None
    rows = [
        [clean(r["policy"]), clean(r["model"]), elo(r["favour"]), interval(r["ci_low"], r["ci_high"], 0, signed=True), chance(r["q_value"]), r["verdict"]]
        for r in found.favour.sort("policy", maintain_order=True).iter_rows(named=True)
    ]  # fmt: skip
    columns = [
        ("Policy", False),
        ("Model", False),
        ("Favour, Elo", True),
        ("95 % CI", True),
        ("q", True),
        ("Verdict", False),
    ]
    return Listing("favour", "Favour by policy and model", columns, rows)


def _favour_gap_listing(found: ModelComparison) -> Listing | None:
    if not found.favour_differences.height:
        return None
    ordered = found.favour_differences.sort(pl.col("difference").abs(), descending=True)
    rows = [
        [clean(r["policy"]), clean(r["model"]), clean(r["baseline"]), elo(r["difference"]), interval(r["ci_low"], r["ci_high"], 0, signed=True), chance(r["q_value"]), r["verdict"]]
        for r in ordered.iter_rows(named=True)
    ]  # fmt: skip
    names = ("Policy", "Model", "Against", "Difference, Elo", "95 % CI", "q", "Verdict")
    columns = [(n, n in ("Difference, Elo", "95 % CI", "q")) for n in names]
    return Listing("favour_differences", "Differences of favour, the largest first", columns, rows)


def _pareto_listing(found: ModelComparison) -> Listing | None:
    if not found.pareto.height:
        return None
    rows = [
        [
            clean(r["model"]),
            f"{number(100 * r['accuracy'], 1)} {interval(_per_cent(r['accuracy_low']), _per_cent(r['accuracy_high']), 1)}".rstrip(),
            f"{number(r['mismatch'])} {interval(r['mismatch_low'], r['mismatch_high'])}".rstrip(),
            r["standing"] + (f" by {clean(', '.join(r['by']))}" if r["by"] else ""),
        ]
        for r in found.pareto.sort("accuracy", descending=True).iter_rows(named=True)
    ]
    columns = [("Model", False), ("Accuracy, %", True), ("Mismatch", True), ("Standing", False)]
    return Listing("pareto", "Who is dominated", columns, rows)


def _per_cent(value: float | None) -> float | None:
    return None if value is None else 100 * value


# --- figures --------------------------------------------------------------------------------------


def _figures(found: ModelComparison) -> Iterator[tuple[str, str, Picture]]:
    if found.pareto.height:
        yield "pareto", "Alignment against accuracy", _pareto_picture(found.pareto)
    sure = found.favour_differences.filter(pl.col("verdict").str.starts_with("favours"))
    if sure.height:
        yield "favour_differences", "Policies that models favour differently", _gap_picture(sure)
    if found.favour.height and found.favour["model"].n_unique() > 1:
        yield "favour", "Favour by policy and model", _favour_picture(found)


def _pareto_picture(frame: pl.DataFrame) -> Picture:
    points = [
        Point(
            name=clean(r["model"]),
            x=100 * r["accuracy"],
            y=r["mismatch"],
            tip=f"{clean(r['model'])}\naccuracy {number(100 * r['accuracy'], 1)} %\nmismatch {number(r['mismatch'])}\n{r['standing']}",
            x_low=_per_cent(r["accuracy_low"]),
            x_high=_per_cent(r["accuracy_high"]),
            y_low=r["mismatch_low"],
            y_high=r["mismatch_high"],
            role="even" if r["standing"] == "dominated" else "accent",
            rank=i,
        )
        for i, r in enumerate(frame.to_dicts())
    ]
    return both(
        lambda w: scatter(
            points,
            lines=[],
            width=w,
            height=380 if w > 500 else 320,
            x="accuracy on benchmarks, %",
            y="mismatch with people, sharpness fitted",
            labels=12,
        ),
        alt=f"Accuracy on benchmarks and mismatch with people of {len(points)} models, with 95 % intervals.",
        caption="To the right: more accurate on benchmarks. Down: nearer to people. Grey: another model is better on both beyond chance.",
    )


def _gap_picture(frame: pl.DataFrame) -> Picture:
    ordered = frame.sort(pl.col("difference").abs(), descending=True).head(_MOST)
    rows = [
        Row(
            name=f"{clean(r['policy'])} · {clean(r['model'])} − {clean(r['baseline'])}",
            value=r["difference"],
            low=r["ci_low"],
            high=r["ci_high"],
            role=colour_role(r["difference"], r["q_value"]),
            tip=f"{clean(r['policy'])}\n{clean(r['model'])} minus {clean(r['baseline'])}: {elo(r['difference'])} Elo {interval(r['ci_low'], r['ci_high'], 0, signed=True)}, q = {chance(r['q_value'])}",
        )
        for r in ordered.sort("difference", descending=True).to_dicts()
    ]
    left = f" The {_MOST} largest of {frame.height}." if frame.height > _MOST else ""
    return both(
        lambda w: interval_rows(rows, width=w, axis="difference of favour, Elo points"),
        alt=f"{len(rows)} differences of favour beyond chance, in Elo points with 95 % intervals.",
        caption=f"Differences of favour beyond chance, with 95 % intervals.{left} Orange: the first model favours the policy more; blue: less.",
    )


def _favour_picture(found: ModelComparison) -> Picture:
    frame = found.favour
    order = (
        frame.group_by("policy")
        .agg(pl.col("favour").mean())
        .sort("favour", descending=True)["policy"]
        .to_list()
    )
    tiles = [
        Tile(clean(r["policy"]), clean(r["model"]), r["favour"], f"{clean(r['policy'])}\n{clean(r['model'])}: {elo(r['favour'])} Elo {interval(r['ci_low'], r['ci_high'], 0, signed=True)}")
        for r in frame.to_dicts()
    ]  # fmt: skip
    size = frame["favour"].abs().quantile(0.95) or 0.0
    limit = max(50.0, float(-(-size // 50) * 50))
    drawing = heat_map(
        tiles,
        names=[clean(policy) for policy in order],
        columns=[clean(name) for name in found.models if name in set(frame["model"])],
        cell=18,
        limit=limit,
        legend="favour, Elo points",
    )
    return Picture(
        drawing,
        None,
        f"Favour of {len(order)} policies by {frame['model'].n_unique()} models.",
        "Favour in Elo points, policies in the order of the models' mean. Orange: over-valued; blue: under-valued.",
    )
