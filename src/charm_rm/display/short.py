"""A result in a line or three: what it is, of how many policies and prompts, and its first finding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..errors import counted
from ..estimates import Estimate, signed
from ..shown import Shown
from ..visible import visible


def short(result: Shown) -> str:
    """The result in a line or three; hidden characters of names are written out."""
    if not next(iter(result.tables().values())).height:
        return f"{type(result).__name__}: no rows"
    told = next((_TOLD[k.__name__] for k in type(result).__mro__ if k.__name__ in _TOLD), _extent)
    first, *more = told(result)
    return visible("\n  ".join([f"{type(result).__name__}: {first}", *more]), keep="\n")


def _extent(result: Any) -> Iterator[str]:
    """Of any table: rows, policies, prompts."""
    frame = next(iter(result.tables().values()))
    parts = [counted(frame.height, "row")]
    if policies := len(getattr(result, "policies", ())):
        parts.append(counted(policies, "policy", "policies"))
    if "prompt_id" in frame.columns:
        parts.append(counted(frame["prompt_id"].n_unique(), "prompt"))
    yield ", ".join(parts)


def _audit(result: Any) -> Iterator[str]:
    summary = result.summary
    prompts = f" on {counted(summary['prompts'], 'prompt')}" if summary["prompts"] else ""
    policies, pairs = counted(summary["policies"], "policy", "policies"), counted(summary["pairs"], "pair")
    degree = result.mismatch.frame["mismatch_degree"].mean()
    yield f"{policies}{prompts}, {pairs}; mean mismatch degree {degree:.2f}"
    if result.favouritism is not None:
        yield from _favouritism_words(result.favouritism)


def _favouritism(result: Any) -> Iterator[str]:
    yield counted(len(result), "policy", "policies")
    yield from _favouritism_words(result)


def _favouritism_words(favouritism: Any) -> Iterator[str]:
    row = favouritism.frame.sort("favour", descending=True).row(0, named=True)
    ends = _ends(row["ci_low"], row["ci_high"])
    verdict = f", {row['verdict']}" if row.get("verdict") else ""
    yield f"most favoured: {row['policy']}, {signed(row['favour'])} Elo{ends}{verdict}"
    if favouritism.sharpness is not None:
        yield f"sharpness {_estimate(favouritism.sharpness)}"


def _mismatch(result: Any) -> Iterator[str]:
    yield f"{counted(len(result), 'pair')} of {counted(len(result.policies), 'policy', 'policies')}"
    row = result.frame.sort(result.frame["mismatch"].abs(), descending=True).row(0, named=True)
    yield f"largest: {row['policy']} against {row['reference']}, {row['mismatch']:+.3f}{_ends(row['ci_low'], row['ci_high'], 3)}"


def _ratings(result: Any) -> Iterator[str]:
    row = result.frame.sort("rating", descending=True).row(0, named=True)
    about = [str(result.provenance[k]) for k in ("category", "date") if result.provenance.get(k)]
    yield ", ".join([counted(len(result), "policy", "policies"), *about])
    yield f"highest: {row['policy']}, {row['rating']:.0f}{_ends(row['ci_low'], row['ci_high'], sign='')}"


def _offsets(result: Any) -> Iterator[str]:
    moved = result.frame.filter(~result.frame["is_reference"])
    yield f"{counted(moved.height, 'policy', 'policies')}, {result.frame.height - moved.height} held at 0"
    for row in moved.sort("delta").head(1).iter_rows(named=True):
        yield f"lowest: {row['policy']}, {row['delta']:+.3f}{_ends(row['ci_low'], row['ci_high'], 3)}"


def _calibrator(result: Any) -> Iterator[str]:
    offsets = f", {counted(len(result.offsets), 'offset')}" if result.offsets else ""
    yield f"{counted(len(result.features), 'feature')}{offsets}, in {'log-odds' if result.unit == 'log-odds' else 'score units'}; T = {result.temperature:.3g}"
    for one in sorted(result.features, key=lambda f: -abs(f.weight))[:1]:
        yield f"largest weight: {one.name}, {one.weight:+.3f}{_ends(one.ci_low, one.ci_high, 3)}"


def _comparison(result: Any) -> Iterator[str]:
    summary = result.summary
    yield f"{counted(summary['policies'], 'policy', 'policies')} on {counted(summary['prompts'], 'prompt')}, first minus second"
    yield _largest(result.frame, "policy", "difference")


def _models(result: Any) -> Iterator[str]:
    beyond = sum(r not in ("within chance", "not tested") for r in result.differences["reading"])
    yield f"{counted(len(result.models), 'model')}, {counted(result.differences.height, 'difference')}, {beyond} beyond chance"


def _study(result: Any) -> Iterator[str]:
    from ..study.words import headline, size

    yield f"{result.name}: {size(result)}"
    yield headline(result)


def _families(result: Any) -> Iterator[str]:
    yield f"{counted(result.frame.height, 'group')}, {counted(len(result.members), 'policy', 'policies')}"
    yield _largest(result.frame.drop_nulls("favour"), "group", "favour")


def _largest(frame: Any, name: str, value: str) -> str:
    if not frame.height:
        return "no favour could be measured"
    row = frame.sort(frame[value].abs(), descending=True).row(0, named=True)
    return f"largest: {row[name]}, {signed(row[value])} Elo{_ends(row['ci_low'], row['ci_high'])}, {row['verdict']}"


def _influence(result: Any) -> Iterator[str]:
    yield f"what carries the favour of {result.policy}, {signed(result.favour)} Elo, {result.verdict}"
    yield from result.sentences[:1]


def _explanation(result: Any) -> Iterator[str]:
    frame = result.frame
    yield counted(frame["policy"].n_unique(), "policy", "policies")
    whole = frame.filter(frame["kind"] == "favour")
    row = whole.sort(whole["elo"].abs(), descending=True).row(0, named=True)
    parts = {
        r["kind"]: r["elo"] for r in frame.filter(frame["policy"] == row["policy"]).iter_rows(named=True)
    }
    yield f"largest favour: {row['policy']}, {signed(row['elo'])} Elo, of which style {signed(parts['style'])}"


def _relabelled(result: Any) -> Iterator[str]:
    yield f"{counted(len(result.preferences), 'pair')}, {int(result.ledger['flipped'].sum()):,} labels flipped"


def _benchmark(result: Any) -> Iterator[str]:
    yield f"{result.benchmark.name}, {100 * result.headline:.1f} % over {counted(len(result.scored), 'item')}"


def _alignment(result: Any) -> Iterator[str]:
    from ..mismatch.metrics import in_order, say_figure

    yield counted(len(result.policies), "policy", "policies")
    yield from (say_figure(row) for row in in_order(result.frame.to_dicts())[:2])


def _estimate(one: Estimate) -> str:
    return f"{one.value:.2f}{_ends(one.ci_low, one.ci_high, 2, sign='')}"


def _ends(low: float | None, high: float | None, digits: int = 0, *, sign: str = "+") -> str:
    """`` [+12, +40]``; nothing where there is no interval, ``open`` at an end that is."""
    if low is None and high is None:
        return ""
    left = "(open" if low is None else f"[{low:{sign}.{digits}f}"
    return f" {left}, {'open)' if high is None else f'{high:{sign}.{digits}f}]'}"


_TOLD: dict[str, Callable[[Any], Iterator[str]]] = {
    "Audit": _audit,
    "Favouritism": _favouritism,
    "Mismatch": _mismatch,
    "Ratings": _ratings,
    "Offsets": _offsets,
    "Calibrator": _calibrator,
    "FavourComparison": _comparison,
    "ModelComparison": _models,
    "StudyAnalysis": _study,
    "FamilyContrasts": _families,
    "Influence": _influence,
    "Explanation": _explanation,
    "Relabelled": _relabelled,
    "BenchmarkResult": _benchmark,
    "AlignmentResult": _alignment,
}
