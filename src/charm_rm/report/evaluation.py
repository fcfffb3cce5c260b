"""An evaluation on benchmarks as one self-contained page, with the looks of every report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl
from markupsafe import Markup

from ..errors import verb
from ..evaluate import AlignmentResult, BenchmarkResult, Diagnosis
from ..provenance import versions
from . import words
from .cleaning import cleaned
from .evaluation_tables import accuracy_listing, plain_tables, saturation_listing
from .figures._registry import Figure
from .figures.benchmark_parts import accuracy_picture, margin_picture, reliability_picture, strata_picture
from .gather import Audited, Findings
from .listings import Listing, alignment_listing
from .page import asset, content_policy, environment
from .theme import css_variables
from .words import clean, interval, number

# Differences that a sentence names.
_SAID = 6


@dataclass(frozen=True)
class _Part:
    """What the page says of one benchmark."""

    key: str
    name: str
    partial: bool
    sentences: Sequence[str]
    figures: Sequence[Figure]
    tables: Sequence[Listing]


def render_evaluation(
    results: Sequence[BenchmarkResult],
    diagnoses: Sequence[Diagnosis],
    alignment: AlignmentResult | None = None,
    *,
    model: str = "",
    baseline: str = "",
    provenance: Mapping[str, Any] | None = None,
) -> str:
    """The page as HTML text: it fetches nothing, and text from data is escaped. ``model`` and ``baseline`` are what to call them."""
    css, script = css_variables() + asset("style.css"), asset("page.js")
    notes = [f"{r.benchmark.name}: {note}" for r in results for note in (*r.benchmark.notes, *r.warnings)]
    notes += [] if alignment is None else list(alignment.warnings)
    return (
        environment()
        .get_template("evaluation.html.j2")
        .render(
            heading=clean(model or "Evaluation"),
            finding=_finding(results, clean(baseline)),
            facts=list(_facts(results, model=clean(model), baseline=clean(baseline))),
            tiles=[_tile(result) for result in results],
            parts=[_part(k, *both) for k, both in enumerate(zip(results, diagnoses, strict=True))],
            alignment=None if alignment is None else _alignment(alignment),
            warnings=[clean(note) for note in dict.fromkeys(notes)],
            provenance=Listing(
                "provenance", "Provenance", [("Key", False), ("Value", False)], words.flatten(dict(provenance or {}))
            ),
            css=Markup(css),
            script=Markup(script),
            policy=content_policy(css, script),
            version=versions().get("charm-rm", ""),
            count=words.count,
        )
    )  # fmt: skip


# --- what it says ---------------------------------------------------------------------------------


def _finding(results: Sequence[BenchmarkResult], baseline: str) -> str:
    """The title: on how many benchmarks it is better or worse beyond chance, or how many there are."""
    told = words.count(len(results), "benchmark")
    if not results:
        return "Alignment with human ratings"
    rows = [result.frame.row(-1, named=True) for result in results]
    if rows[0]["difference"] is None:
        return f"{told}, and what the figures are worth"
    better = sum(_beyond(row) > 0 for row in rows)
    worse = sum(_beyond(row) < 0 for row in rows)
    if not better and not worse:
        other = sum(_beyond(row) != 0 for r in results for row in r.frame[:-1].iter_rows(named=True))
        more = f"; {other} of their other figures {'differs' if other == 1 else 'differ'}" if other else ""
        return f"No better and no worse than {baseline or 'the baseline'} beyond chance on {told}{more}"
    parts = [f"better on {better}" if better else "", f"worse on {worse}" if worse else ""]
    return f"{' and '.join(filter(None, parts)).capitalize()} of {told} than {baseline or 'the baseline'}, beyond chance"


def _beyond(row: Mapping[str, Any]) -> int:
    """1 or -1 where the average's difference is beyond chance by its interval and its q, where it has one."""
    low, high, q = row["diff_ci_low"], row["diff_ci_high"], row["q_value"]
    if low is None or high is None or low <= 0 <= high or (q is not None and q > 0.05):
        return 0
    return 1 if low > 0 else -1


def _facts(results: Sequence[BenchmarkResult], *, model: str, baseline: str) -> Iterator[tuple[str, str]]:
    if model:
        yield "Model", model
    if baseline:
        yield "Baseline", baseline
    if results:
        items = sum(len(result.benchmark.items) for result in results)
        yield (
            "Benchmarks",
            f"{', '.join(clean(r.benchmark.name) for r in results)}; {words.count(items, 'item')}",
        )


def _tile(result: BenchmarkResult) -> tuple[str, str, str]:
    row = result.frame.row(-1, named=True)
    note = _percent(row, "ci_low", "ci_high")
    if row["difference"] is not None:
        note += f"; {number(100 * row['difference'], 1, signed=True)} {_percent(row, 'diff_ci_low', 'diff_ci_high', signed=True)} on the baseline"
    partial = " (partial)" if result.benchmark.partial else ""
    return f"{clean(result.benchmark.name)}{partial}", f"{number(100 * row['accuracy'], 1)} %", note


def _percent(row: Mapping[str, Any], low: str, high: str, *, signed: bool = False) -> str:
    first, last = (None if row[end] is None else 100 * row[end] for end in (low, high))
    return interval(first, last, 1, signed=signed)


def _part(k: int, result: BenchmarkResult, diagnosis: Diagnosis) -> _Part:
    tables = {name: cleaned(frame) for name, frame in diagnosis.tables.items() if name != "items"}
    pictures = {
        "Accuracy": accuracy_picture(cleaned(result.frame), tables.get("placebos")),
        "By what the better response looks like": strata_picture(tables["strata"]),
        "Reliability": reliability_picture(tables.get("reliability")),
        "Margins": margin_picture(tables.get("margins")),
    }
    figures = [
        Figure(f"b{k}_{n}", title, "evaluation", picture)
        for n, (title, picture) in enumerate(pictures.items())
        if picture is not None
    ]
    frame = cleaned(result.frame)
    flagged = saturation_listing(f"b{k}", frame, diagnosis)
    listings = [accuracy_listing(f"b{k}", frame, diagnosis), *([flagged] if flagged else [])]
    listings += plain_tables(f"b{k}", tables)
    name = clean(result.benchmark.name)
    return _Part(
        f"b{k}", name, result.benchmark.partial, list(_sentences(result, diagnosis)), figures, listings
    )


def _sentences(result: BenchmarkResult, diagnosis: Diagnosis) -> Iterator[str]:
    yield from (f"Partial: {clean(note)}." for note in result.benchmark.notes)
    if notes := diagnosis.saturation[-1]:
        yield f"{clean(result.frame['subset'][-1])}: {clean('; '.join(notes))}."
    if flagged := sum(bool(row) for row in diagnosis.saturation):
        says = verb(flagged, "says little by itself", "say little by themselves")
        yield f"{flagged} of {words.count(len(diagnosis.saturation), 'figure')} {says}: the table says why."
    if result.unanswered:
        yield f"{words.count(result.unanswered, 'comparison')} without a verdict in either order, counted wrong."
    yield from _beyond_sentence(result.frame)
    for whose, told in _shortened(diagnosis).items():
        yield f"Read shortened by the {whose}: {told}."
    if (swap := diagnosis.swap) is not None:
        yield _swap_sentence(swap.holds, [swap.accuracy, swap.swapped, swap.ties], swap.items)
    yield from _repeat_sentences(diagnosis)


def _beyond_sentence(frame: pl.DataFrame) -> Iterator[str]:
    """The figures that differ from the baseline's beyond chance, the largest differences first."""
    found = sorted(
        (row for row in frame.iter_rows(named=True) if row["difference"] is not None and _beyond(row)),
        key=lambda row: -abs(row["difference"]),
    )
    told = [
        f"{clean(' '.join(dict.fromkeys((r['subset'], r['metric']))))} {number(100 * r['difference'], 1, signed=True)}"
        for r in found[:_SAID]
    ]
    if told:
        more = f" and {len(found) - len(told)} more" if len(found) > len(told) else ""
        yield f"Beyond chance from the baseline, in points: {', '.join(told)}{more}."


def _shortened(diagnosis: Diagnosis) -> dict[str, str]:
    """Whose reading was cut, and of what, by subset; model and baseline together where it is the same."""
    told = {
        whose: ", ".join(f"{clean(s)} {n}" for s, n in by_subset.items() if n)
        for whose, by_subset in diagnosis.truncated.items()
    }
    if len(told) > 1 and len(set(told.values())) == 1:
        told = {" and the ".join(told): next(iter(told.values()))}
    return {whose: cut for whose, cut in told.items() if cut}


def _swap_sentence(holds: bool, shares: Sequence[float], items: int) -> str:
    accuracy, swapped, ties = (f"{number(100 * share, 1)} %" for share in shares)
    told = f"{accuracy} right, {swapped} right with labels swapped, {ties} tied, over {words.count(items, 'pair')}"
    return f"Labels: {told}: {'accuracy turns when labels do' if holds else 'ACCURACY DOES NOT TURN WHEN LABELS DO; a rule of this benchmark does not look at the labels'}."


def _repeat_sentences(diagnosis: Diagnosis) -> Iterator[str]:
    if (table := diagnosis.tables.get("repeats")) is None:
        return
    row = table.row(-1, named=True)
    if row["changed"] is not None:
        ends = _percent(row, "changed_ci_low", "changed_ci_high")
        yield f"Asked {row['runs']} times, {number(100 * row['changed'], 1)} % {ends} of the verdicts change."
    if row["floor"] is not None:
        yield f"Two runs of this model differ by up to {number(100 * row['floor'], 1)} points on {clean(row['subset'])} 95 times in 100: a smaller difference is no finding."


def _alignment(alignment: AlignmentResult) -> Listing | None:
    nothing = Findings("", Audited(pl.DataFrame()))
    return alignment_listing(replace(nothing, alignment=cleaned(alignment.frame)))
