"""What ``charm compare`` prints of several models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import counted
from ..estimates import SIGNIFICANT, signed
from .common import conclude, echo, heading, print_frame

if TYPE_CHECKING:
    from ..comparison import ModelComparison

_SURE = f"q <= {SIGNIFICANT:g}"


def print_models(found: ModelComparison, *, top: int) -> None:
    """One table of figures and differences, then favour by policy, and who is dominated."""
    from ..comparison import NO_DIFFERENCE

    *first, last = found.models
    heading(f"{', '.join(first)} and {last} compared")
    summary = found.summary
    if summary["prompts"]:
        echo(
            f"  human ratings: {counted(summary['policies'], 'policy', 'policies')} on {counted(summary['prompts'], 'prompt')} that all have"
        )
    if summary["benchmarks"]:
        names = (f"{b} (partial)" if b in summary["partial"] else b for b in summary["benchmarks"])
        echo(f"  benchmarks, on the items that all have: {', '.join(names)}")
    beyond = [r for r in found.differences.iter_rows(named=True) if r["reading"] not in NO_DIFFERENCE]
    conclude(
        f"{counted(len(found.models), 'model')}, {counted(found.differences.height, 'difference')}, {len(beyond)} beyond chance"
        + "".join(f"; {r['model']} {_reading(r)} than {r['baseline']}: {label(r)}" for r in beyond[:3])
    )
    _print_figures(found)
    _print_favour(found, top)
    _print_pareto(found)


def label(row: Mapping[str, Any]) -> str:
    """A figure in words."""
    from ..mismatch import METRICS

    if row["kind"] == "benchmark":
        return f"{row['figure']}, %"
    return METRICS[row["figure"]].label if row["figure"] in METRICS else str(row["figure"])


def _reading(row: Mapping[str, Any]) -> str:
    return str(row["reading"])


def _digits(row: Mapping[str, Any]) -> tuple[float, int]:
    """What to multiply a figure by, and its digits."""
    from ..mismatch import METRICS

    if row["kind"] == "benchmark":
        return 100.0, 1
    return 1.0, METRICS[row["figure"]].digits if row["figure"] in METRICS else 2


def shown(row: Mapping[str, Any], name: str, *, sign: bool = False) -> str:
    """``0.031 [0.028, 0.035]``; a benchmark's in per cent."""
    scale, digits = _digits(row)
    if row[name] is None:
        return "-"

    def number(value: float) -> str:
        return signed(scale * value, digits) if sign else f"{scale * value:.{digits}f}"

    ends = "" if row["ci_low"] is None else f" [{number(row['ci_low'])}, {number(row['ci_high'])}]"
    return f"{number(row[name])}{ends}"


def _print_figures(found: ModelComparison) -> None:
    import polars as pl

    gaps = {(r["figure"], r["model"], r["baseline"]): r for r in found.differences.iter_rows(named=True)}
    rows = list(_figure_rows(found, gaps))
    print_frame(
        pl.DataFrame(rows, infer_schema_length=None),
        title=f"Figures, and differences from {found.reference} paired by prompt; [] are 95 % intervals",
        extra=("floor", "p"),
        full=found.differences,
    )
    others = [r for r in found.differences.iter_rows(named=True) if r["baseline"] != found.reference]
    if others:
        table = [
            {"figure": label(r), "model": r["model"], "against": r["baseline"], **_difference(r)}
            for r in others
        ]
        print_frame(pl.DataFrame(table), title="Differences of the others", extra=("p",), main=False)
    echo("  floor: the figure of a perfectly aligned model with as many prompts and such ratings")
    echo(
        f"  p: by exchanging the two models within prompts (sharpness: Student's t); q: adjusted for all {counted(found.differences.height, 'difference')} here"
    )


def _figure_rows(
    found: ModelComparison, gaps: Mapping[tuple[str, str, str], Any]
) -> Iterator[dict[str, str]]:
    values = {(r["figure"], r["model"]): r for r in found.figures.iter_rows(named=True)}
    for figure in found.figures["figure"].unique(maintain_order=True):
        for place, model in enumerate(m for m in found.models if (figure, m) in values):
            row = values[figure, model]
            scale, digits = _digits(row)
            floor = "" if row["floor"] is None else f"{scale * row['floor']:.{digits}f}"
            gap = gaps.get((figure, model, found.reference))
            told = _difference(gap) if gap else dict.fromkeys(("difference", "p", "q", "reading"), "")
            yield {
                "figure": label(row) if place == 0 else "",
                "model": model,
                "value": shown(row, "value"),
                "floor": floor,
                **told,
            }


def _difference(row: Mapping[str, Any]) -> dict[str, str]:
    p, q = (("-" if row[f"{n}_value"] is None else f"{row[f'{n}_value']:.2g}") for n in "pq")
    return {"difference": shown(row, "difference", sign=True), "p": p, "q": q, "reading": row["reading"]}


# --- favour ---------------------------------------------------------------------------------------


def _print_favour(found: ModelComparison, top: int) -> None:
    if not found.favour.height:
        return
    import polars as pl

    rows = favour_rows(found)
    print_frame(
        pl.DataFrame(rows, infer_schema_length=None),
        title=f"Favour by policy in Elo points (* beyond chance by itself), and differences with {_SURE}",
        limit=top or None,
        tail=3,
        main=not found.differences.height,
    )
    gaps = found.favour_differences
    sure = gaps.filter(pl.col("verdict").str.starts_with("favours"))
    echo(f"  differences of favour: {sure.height} of {gaps.height} beyond chance ({_SURE}, over all of them)")


def favour_rows(found: ModelComparison) -> list[dict[str, str]]:
    """A row a policy: the favour by every model, and which of them differ; those that differ most come first."""
    favour = {(r["policy"], r["model"]): r for r in found.favour.iter_rows(named=True)}
    gaps: dict[str, list[Mapping[str, Any]]] = {}
    for row in found.favour_differences.iter_rows(named=True):
        gaps.setdefault(row["policy"], []).append(row)
    models = [m for m in found.models if any(name == m for _, name in favour)]
    policies = sorted(
        {policy for policy, _ in favour}, key=lambda policy: (-_largest(gaps.get(policy, ())), policy)
    )
    return [
        {
            "policy": policy,
            **{model: _favour(favour.get((policy, model))) for model in models},
            "differs": "; ".join(_told(r) for r in gaps.get(policy, ()) if r["verdict"].startswith("favours"))
            or "-",
        }
        for policy in policies
    ]


def _largest(rows: Any) -> float:
    return max((abs(row["difference"]) for row in rows), default=0.0)


def _favour(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "-"
    return signed(row["favour"]) + ("*" if row["verdict"] in ("over-valued", "under-valued") else "")


def _told(row: Mapping[str, Any]) -> str:
    ends = f"[{signed(row['ci_low'])}, {signed(row['ci_high'])}]"
    return f"{row['model']} {signed(row['difference'])} {ends} against {row['baseline']}"


# --- alignment against accuracy -------------------------------------------------------------------


def _print_pareto(found: ModelComparison) -> None:
    if not found.pareto.height:
        return
    import polars as pl

    rows = [
        {
            "model": r["model"],
            "accuracy, %": f"{100 * r['accuracy']:.1f}",
            "mismatch": f"{r['mismatch']:.3f}",
            "standing": standing(r),
        }
        for r in found.pareto.sort("accuracy", descending=True).iter_rows(named=True)
    ]
    print_frame(pl.DataFrame(rows), title="Accuracy on benchmarks against mismatch with people", main=False)
    echo(
        f"  dominated: another model is better on both, each by a paired interval that leaves out 0 and {_SURE}"
    )


def standing(row: Mapping[str, Any]) -> str:
    """``dominated by b``, ``perhaps dominated by b``, ``not dominated``."""
    return f"{row['standing']} by {', '.join(row['by'])}" if row["by"] else str(row["standing"])
