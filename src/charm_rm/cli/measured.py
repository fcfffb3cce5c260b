"""What ``--fail-if`` can name, command by command: the figures that ``--json`` has, under the same names where they have some."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .fail_if import Figure, Measured

if TYPE_CHECKING:
    from ..comparison import ModelComparison
    from ..evaluate import AlignmentResult, BenchmarkResult
    from ..mismatch import FavourComparison
    from ..study.results import StudyAnalysis

_METRICS = (
    "sharpness_fitted_mismatch",
    "debiased_mismatch",
    "mean_abs_mismatch",
    "spearman",
    "kendall",
    "mean_abs_favour",
)  # of mismatch.METRICS, which is not imported for --help
_AUDIT_WHOLE = ("sharpness", *_METRICS, "over_valued", "under_valued")
_COMPARED = ("sharpness", "spearman")

AUDIT_NAMES: dict[str, str | None] = {
    **dict.fromkeys(("favour", "abs_favour", "q"), "policy"),
    **dict.fromkeys(("mismatch", "abs_mismatch", "md", "pair_q"), "pair"),
    **dict.fromkeys(_AUDIT_WHOLE),
}
COMPARE_NAMES: dict[str, str | None] = {
    **dict.fromkeys(("difference", "abs_difference", "first_favour", "second_favour", "q"), "policy"),
    **{f"{which}_{name}": None for name in _COMPARED for which in ("first", "second")},
    **{f"{name}_difference": None for name in _COMPARED},
    **dict.fromkeys(("figure_difference", "figure_q"), "figure"),
}
EVALUATE_NAMES: dict[str, str | None] = {
    **dict.fromkeys(("accuracy", "difference", "p", "q"), "figure"),
    **dict.fromkeys(_METRICS),
    **{f"{name}_difference": None for name in _METRICS},
}
STUDY_NAMES: dict[str, str | None] = {
    **dict.fromkeys(("agreement", "difference", "p"), "model"),
    **dict.fromkeys(("alpha", "pairwise_agreement", "raters_flagged", "raters_unclear")),
}


def audit_figures(found: Mapping[str, Any]) -> Measured:
    """Favour by policy, mismatch by pair, and the figures of a whole audit, as ``--json`` and audit.json hold them."""
    summary = found.get("summary") or {}
    effect = {row["metric"]: _figure(row, "value") for row in summary.get("effect", ())}
    whole = {name: effect[name] for name in _METRICS if name in effect}
    if found.get("sharpness"):
        whole["sharpness"] = _figure(found["sharpness"], "value")
    policies = found.get("favouritism") or ()
    if policies:
        verdicts = summary.get("favour_verdicts") or {}
        whole |= {v.replace("-", "_"): Figure(verdicts.get(v, 0)) for v in ("over-valued", "under-valued")}
    by_policy = {
        row["policy"]: {**_both_signs(row, "favour"), "q": Figure(row["q_value"])} for row in policies
    }
    by_pair = {
        f"{row['policy']} against {row['reference']}": {
            **_both_signs(row, "mismatch"),
            "md": _figure(row, "mismatch_degree", prefix="mismatch_degree_ci_"),
            "pair_q": Figure(row["q_value"]),
        }
        for row in found.get("mismatch") or ()
    }
    return Measured(whole, {"policy": by_policy, "pair": by_pair})


def run_figures(directory: Path) -> Measured:
    """The same of the last audit of a run: that of the new model where it made one, else of the first."""
    from .. import store
    from ..report import shapes

    for side in ("after", "before"):
        path = directory / side / "audit.json"
        if path.exists():
            return audit_figures(store.read_shaped(path, shapes.AUDIT))
    return Measured()


def comparison_figures(found: FavourComparison) -> Measured:
    """The difference of favour by policy; sharpness and rank correlation of both models."""
    whole: dict[str, Figure] = {}
    for row in found.figures.iter_rows(named=True):
        if row["figure"] in _COMPARED:
            whole[f"first_{row['figure']}"] = Figure(row["first"])
            whole[f"second_{row['figure']}"] = Figure(row["second"])
            whole[f"{row['figure']}_difference"] = _figure(row, "difference")
    rows = {
        row["policy"]: {
            **_both_signs(row, "difference"),
            "first_favour": Figure(row["first_favour"]),
            "second_favour": Figure(row["second_favour"]),
            "q": Figure(row["q_value"]),
        }
        for row in found.frame.iter_rows(named=True)
    }
    return Measured(whole, {"policy": rows})


def models_figures(found: ModelComparison) -> Measured:
    """Of several models the differences of favour, a row a policy and two models; other figures are those of two alone."""
    favour = {(row["model"], row["policy"]): row["favour"] for row in found.favour.iter_rows(named=True)}
    rows = {
        f"{row['policy']} by {row['model']} against {row['baseline']}": {
            **_both_signs(row, "difference"),
            "first_favour": Figure(favour.get((row["model"], row["policy"]))),
            "second_favour": Figure(favour.get((row["baseline"], row["policy"]))),
            "q": Figure(row["q_value"]),
        }
        for row in found.favour_differences.iter_rows(named=True)
    }
    gaps = {
        f"{row['figure']} of {row['model']} against {row['baseline']}": {
            "figure_difference": _figure(row, "difference"),
            "figure_q": Figure(row["q_value"]),
        }
        for row in found.differences.iter_rows(named=True)
    }
    return Measured({}, {"policy": rows, "figure": gaps})


def evaluation_figures(results: Iterable[BenchmarkResult], alignment: AlignmentResult | None) -> Measured:
    """Every row of every benchmark (accuracy is between 0 and 1; p and q where the metric has a test), and the alignment with ratings."""
    rows = {
        f"{result.benchmark.name}, {row['subset']}, {row['metric']}": {
            "accuracy": _figure(row, "accuracy"),
            "difference": _figure(row, "difference", prefix="diff_ci_"),
            **{name: Figure(row[f"{name}_value"]) for name in "pq" if row[f"{name}_value"] is not None},
        }
        for result in results
        for row in result.frame.iter_rows(named=True)
    }
    whole: dict[str, Figure] = {}
    if alignment is not None:
        for row in alignment.frame.iter_rows(named=True):
            whole[row["metric"]] = _figure(row, "value")
            whole[f"{row['metric']}_difference"] = _figure(row, "difference", prefix="diff_ci_")
    return Measured(whole, {"figure": rows})


def _figure(row: Mapping[str, Any], name: str, *, prefix: str = "ci_") -> Figure:
    return Figure(row[name], row[f"{prefix}low"], row[f"{prefix}high"])


def _both_signs(row: Mapping[str, Any], name: str) -> dict[str, Figure]:
    """A signed figure, and its distance from 0: an interval that holds 0 begins at 0."""
    figure = _figure(row, name)
    value, low, high = figure.value, figure.low, figure.high
    if value is None or (low is None and high is None):
        return {name: figure, f"abs_{name}": Figure(None if value is None else abs(value))}
    near = max(0.0, low if low is not None else 0.0, -high if high is not None else 0.0)
    far = None if low is None or high is None else max(abs(low), abs(high))
    return {name: figure, f"abs_{name}": Figure(abs(value), near, far)}


def study_figures(found: StudyAnalysis) -> Measured:
    """Of each model its agreement with people and, but of the first, its difference from the first and p; agreement of people, raters."""
    from ..study import words
    from ..study.results import CARELESS, UNCLEAR

    rows: dict[str, dict[str, Figure]] = {
        row["model"]: {"agreement": _figure(row, "value")} for row in words.leading(found.agreement)
    }
    for row in words.leading(found.differences):
        rows.setdefault(row["model"], {}).update(
            difference=_figure(row, "difference"), p=Figure(row["p_value"])
        )
    whole = {
        "raters_flagged": Figure(len(words.raters_of(found, CARELESS))),
        "raters_unclear": Figure(len(words.raters_of(found, UNCLEAR))),
    }
    for name, figure in (("alpha", words.alpha(found)), ("pairwise_agreement", words.ceiling(found))):
        whole[name] = Figure(None) if figure is None else _figure(figure, "value")
    return Measured(whole, {"model": rows})
