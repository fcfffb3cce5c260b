"""The report's figures of results in memory: what ``.plot()`` shows. Of those the page has none of, the same kind of drawing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from ..errors import ConfigError, did_you_mean
from ..evaluate import BenchmarkResult
from ..mismatch import Audit, FamilyContrasts, FavourComparison, Influence
from ..relabel import Relabelled
from ..study.results import StudyAnalysis
from ..style import Calibrator, Explanation
from ..tables import Favouritism, Mismatch, Offsets, Ratings
from .charts import Row, interval_rows
from .cleaning import clean_study, cleaned
from .figures import draw_figure
from .figures._registry import Picture, both
from .figures._rows import colour_role, ends, favour_words
from .gather import Audited, Findings
from .words import clean, elo, interval, number

_NOTHING = Findings("", Audited(pl.DataFrame()))
Own = Callable[[Any], Picture]


def pictures_of(result: object, name: str | None = None) -> list[Picture]:
    """Draw one figure of a result: the first that it has, or the one of this name.

    Raises:
        ConfigError: there is no figure of such a result, none of this name, or too little to draw.
    """
    names = [*_drawn_by_report(result), *_own(result)]
    if not names:
        raise ConfigError(
            f"there is no figure of a {type(result).__name__}",
            fix="draw its table: .to_pandas(), or .tables()",
        )
    chosen = names[0] if name is None else name
    if chosen not in names:
        raise ConfigError(
            f"{type(result).__name__} has no figure {chosen!r}.{did_you_mean(chosen, names)}",
            fix=f"use one of {', '.join(names)}",
        )
    own = _own(result).get(chosen)
    drawn = [own(result)] if own else [f.picture for f in draw_figure(chosen, findings_of(result))]
    if not drawn:
        raise ConfigError(f"there is too little in it for the figure {chosen!r}", fix="look at .summary()")
    return drawn


def findings_of(result: object) -> Findings:
    """What the report would read of a result that was saved."""
    if isinstance(result, Audit):
        return _of_audit(result)
    if isinstance(result, Favouritism):
        sharpness = None if result.sharpness is None else vars(result.sharpness)
        return replace(_NOTHING, before=Audited(pl.DataFrame(), cleaned(result.frame), sharpness))
    if isinstance(result, Mismatch):
        return replace(_NOTHING, before=Audited(cleaned(result.frame)))
    if isinstance(result, Offsets):
        return replace(_NOTHING, offsets=cleaned(result.frame), offset_settings=result.provenance)
    if isinstance(result, Calibrator):
        return replace(_NOTHING, calibrator=result)
    if isinstance(result, Explanation):
        return replace(_NOTHING, explanation=cleaned(result.frame), explained=dict(result.summary))
    if isinstance(result, Relabelled):
        return replace(_NOTHING, ledger=cleaned(result.ledger))
    if isinstance(result, BenchmarkResult):
        return replace(_NOTHING, benchmarks=cleaned(result.frame))
    if isinstance(result, StudyAnalysis):
        return replace(_NOTHING, study=clean_study(result))
    return _NOTHING


def _of_audit(found: Audit) -> Findings:
    favouritism = None if found.favouritism is None else cleaned(found.favouritism.frame)
    sharpness = None if found.sharpness is None else vars(found.sharpness)
    before = Audited(cleaned(found.mismatch.frame), favouritism, sharpness, found.to_json())
    return replace(_NOTHING, before=before, ratings=cleaned(found.ratings.frame))


def _drawn_by_report(result: object) -> tuple[str, ...]:
    """Names of the report's figures of such a result, the one first that is shown unless another is asked for."""
    kinds: dict[type, tuple[str, ...]] = {
        Audit: ("favour", "ratings", "mismatch_before"),
        Favouritism: ("favour", "ratings"),
        Mismatch: ("mismatch_before",),
        Offsets: ("offsets",),
        Calibrator: ("over_values",),
        Explanation: ("explanation", "explanation_map"),
        Relabelled: ("ledger",),
        BenchmarkResult: ("benchmarks",),
        StudyAnalysis: ("study_agreement", "study_difference", "study_ratings", "study_raters"),
    }
    names = next((names for kind, names in kinds.items() if isinstance(result, kind)), ())
    no_favour = isinstance(result, Audit) and result.favouritism is None
    return tuple(n for n in names if not (no_favour and n in ("favour", "ratings")))


def _own(result: object) -> Mapping[str, Own]:
    """Figures of results that no page of the report shows."""
    if isinstance(result, Ratings):
        return {"ratings": _ratings}
    if isinstance(result, FavourComparison):
        return {"difference": _comparison}
    if isinstance(result, FamilyContrasts):
        return {"favour": _families}
    if isinstance(result, Influence):
        return {"change": _influence}
    return {}


def _ratings(result: Ratings) -> Picture:
    rows = [
        Row(r["policy"], r["rating"], _tip(r["policy"], number(r["rating"], 0), r, signed=False), r["ci_low"], r["ci_high"], "accent")
        for r in cleaned(result.frame).sort("rating", descending=True).to_dicts()
    ]  # fmt: skip
    return _drawn(rows, "rating, Elo points", f"Ratings of {len(rows)} policies, with 95 % intervals where known.", zero=None)  # fmt: skip


def _comparison(result: FavourComparison) -> Picture:
    rows = [_signed_row(r, "policy", "difference") for r in _sorted(result.frame, "difference")]
    return _drawn(rows, "difference of favour, first minus second, Elo points", f"Differences of favour of {len(rows)} policies with 95 % intervals. Coloured: beyond chance.")  # fmt: skip


def _families(result: FamilyContrasts) -> Picture:
    rows = [_signed_row(r, "group", "favour") for r in _sorted(result.frame, "favour")]
    return _drawn(rows, "mean favour of the group, Elo points", f"Favour of {len(rows)} groups beside all other policies, with 95 % intervals. Coloured: beyond chance.")  # fmt: skip


def _influence(result: Influence) -> Picture:
    rows = [
        Row(r["policy"], r["change"], f"without {r['policy']}\nchange {elo(r['change'])} Elo")
        for r in _sorted(result.policies, "change")
    ]
    name = clean(result.policy)
    return _drawn(rows, f"change of the favour of {name}, Elo points", f"What leaving out one policy does to the favour of {name}: {len(rows)} policies.")  # fmt: skip


def _sorted(frame: pl.DataFrame, by: str) -> Iterator[dict[str, Any]]:
    return cleaned(frame).drop_nulls(by).sort(by, descending=True).iter_rows(named=True)


def _signed_row(row: Mapping[str, Any], name: str, value: str) -> Row:
    tip = f"{row[name]}\n{favour_words({**row, 'favour': row[value]})}"
    return Row(
        row[name], row[value], tip, row["ci_low"], row["ci_high"], colour_role(row[value], row["q_value"])
    )


def _tip(name: str, value: str, row: Mapping[str, Any], *, signed: bool) -> str:
    return f"{name}\n{value} {interval(row['ci_low'], row['ci_high'], 0, signed=signed)}".rstrip()


def _drawn(rows: list[Row], axis: str, words: str, *, zero: float | None = 0.0) -> Picture:
    if not rows:
        raise ConfigError("there is nothing in it to draw", fix="look at .summary()")
    return both(lambda w: interval_rows(ends(rows), width=w, axis=axis, zero=zero), alt=words, caption=words)
