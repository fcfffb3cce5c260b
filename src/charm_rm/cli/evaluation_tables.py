"""The tables that ``charm evaluate`` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from ..errors import counted, verb
from .common import conclude, csv_table, echo, print_frame, print_json

if TYPE_CHECKING:
    import polars as pl

    from ..benchmarks import Registered
    from ..evaluate import AlignmentResult, BenchmarkResult, Diagnosis


def print_evaluation(
    results: Sequence[BenchmarkResult],
    alignment: AlignmentResult | None,
    diagnoses: Sequence[Diagnosis] = (),
) -> None:
    """A table per benchmark with what is worth knowing of it, and one of the alignment with ratings."""
    import polars as pl

    conclude("; ".join(_in_short(results, alignment)))
    for result, diagnosis in zip_longest(results, diagnoses):
        _print_accuracies(result, diagnosis, full=pl.concat([r.frame for r in results], how="diagonal"))
    if alignment is not None:
        from ..mismatch.metrics import WHAT_P_IS, WHAT_P_TESTS, WHAT_PLACEBO_IS

        title = f"Alignment with human ratings over {counted(len(alignment.policies), 'policy', 'policies')}, [] are 95 % intervals"
        print_frame(_alignment_table(alignment.frame), title=title, full=alignment.frame)
        echo(f"  {WHAT_P_IS}")
        echo("  floor: the figure of a perfectly aligned model with as many prompts and such ratings")
        if alignment.frame["difference"].null_count() < alignment.frame.height:
            echo(f"  {WHAT_P_TESTS}")
            echo(f"  {WHAT_PLACEBO_IS}")


def _in_short(results: Sequence[BenchmarkResult], alignment: AlignmentResult | None) -> Iterator[str]:
    """The last row of every benchmark, which is its average, and the first figure of the alignment."""
    for result in results:
        row = result.frame.row(-1, named=True)
        ends = _range(row["ci_low"], row["ci_high"])
        yield f"{result.benchmark.name} {row['subset']} {100 * row['accuracy']:.1f} %{ends}"
    if alignment is not None:
        from ..mismatch.metrics import in_order, say_figure

        yield from (say_figure(row) for row in in_order(alignment.frame.to_dicts())[:1])


def print_benchmarks(benchmarks: Sequence[Registered], *, as_json: bool) -> None:
    """The benchmarks there are: name, what it measures, items, licence, citation, where to get it."""
    columns = ("name", "about", "items", "licence", "citation", "source")
    rows = [{column: getattr(one, column) for column in columns} for one in benchmarks]
    if as_json:
        return print_json(rows)
    import polars as pl

    conclude(", ".join(str(row["name"]) for row in rows))
    csv_table(pl.DataFrame(rows, infer_schema_length=None))
    for row in rows:
        items = "" if row["items"] is None else f"{counted(row['items'], 'item')}; "
        echo(str(row["about"]), label=f"{row['name']}:")
        echo(f"    {items}licence: {row['licence']}")
        echo(f"    {row['citation']}")
        if row["source"]:
            echo(f"    {row['source']}")
    return None


def _print_accuracies(result: BenchmarkResult, diagnosis: Diagnosis | None, *, full: pl.DataFrame) -> None:
    import polars as pl

    benchmark, frame = result.benchmark, result.frame
    compared = frame["difference"].null_count() == 0
    label = " (PARTIAL)" if benchmark.partial else ""
    several = frame["metric"].n_unique() > 1
    rows = [_accuracy(row, several=several, compared=compared) for row in frame.iter_rows(named=True)]
    if diagnosis is not None:
        rows = [row | more for row, more in zip(rows, _placebos(diagnosis, len(rows)), strict=True)]
    print_frame(
        pl.DataFrame(rows),
        title=f"{benchmark.name}{label}: accuracy in %, [] are 95 % intervals",
        extra=("better:worse", "p"),
        full=full,
    )
    for note in benchmark.notes:
        echo(f"  * partial: {note}")
    for remark in benchmark.remarks:
        echo(f"  {remark}")
    echo(f"  equal scores: {frame['ties'][-1]} ({_ties_count(result)})")
    if result.unanswered:
        echo(f"  without a verdict in either order: {result.unanswered} comparisons (counted wrong)")
    if compared:
        echo("  p: exact McNemar test on the prompts that differ (better:worse); q: adjusted for all rows")
        _say_best(result)
    if diagnosis is not None:
        for line in _diagnosed(result, diagnosis):
            echo(f"  {line}")
    echo()


def _ties_count(result: BenchmarkResult) -> str:
    """What the benchmark's rules make of equal scores."""
    from ..benchmarks.rules import best_is_good_or_shares

    benchmark = result.benchmark
    if any(part.rule is best_is_good_or_shares for metric in benchmark.metrics for part in metric.parts):
        return "responses that share the first place share its credit"
    tie = benchmark.tie_value if result.scored[0].scores is not None else benchmark.tie_value_of_judges
    return f"counted { ({0.0: 'wrong', 0.5: 'half right'}.get(tie, f'as {tie:g}')) }"


def _say_best(result: BenchmarkResult) -> None:
    """The row with the largest difference, with an interval that allows for having chosen it."""
    import polars as pl

    rows = result.frame.drop_nulls("sim_ci_low")
    if rows.height < 2:
        return
    row = rows.sort(pl.col("difference").abs(), descending=True).row(0, named=True)
    ends = _range(row["sim_ci_low"], row["sim_ci_high"], "+")
    name = row["subset"] if result.frame["metric"].n_unique() == 1 else f"{row['subset']} {row['metric']}"
    echo(
        f"  largest difference: {name} {100 * row['difference']:+.1f}{ends}, an interval that holds for all rows at once"
    )


def _placebos(diagnosis: Diagnosis, n_rows: int) -> list[dict[str, str]]:
    """The placebos' accuracies of each row; nothing where they were not asked for."""
    if (table := diagnosis.tables.get("placebos")) is None:
        return [{}] * n_rows
    names = table["placebo"].unique(maintain_order=True).to_list()
    parts = {name: table.filter(table["placebo"] == name)["accuracy"].to_list() for name in names}
    return [{name: f"{100 * parts[name][k]:.1f}" for name in names} for k in range(n_rows)]


def _diagnosed(result: BenchmarkResult, diagnosis: Diagnosis) -> Iterator[str]:
    """What else is worth knowing of the benchmark, a line each."""
    for name, by_subset in diagnosis.truncated.items():
        if cut := {s: n for s, n in by_subset.items() if n}:
            told = ", ".join(f"{s} {n}" for s, n in cut.items())
            yield f"read shortened{'' if name == 'model' else f' by the {name}'}: {told}"
    if diagnosis.swap is not None and not diagnosis.swap.holds:
        yield (
            f"LABELS: accuracy does not turn when labels do: {diagnosis.swap.accuracy:.3f} and {diagnosis.swap.swapped:.3f} "
            f"swapped come to {diagnosis.swap.total:.3f}, not 1: a rule of this benchmark does not look at the labels"
        )
    yield from _strata_lines(diagnosis)
    yield from _calibration_lines(diagnosis)
    yield from _repeat_lines(diagnosis)
    yield from _saturation_lines(result, diagnosis)


def _saturation_lines(result: BenchmarkResult, diagnosis: Diagnosis) -> Iterator[str]:
    """What makes the last figure, the average, say little; of the others how many."""
    notes = [list(row) for row in diagnosis.saturation]
    if notes[-1]:
        yield f"{result.frame['subset'][-1]}: {'; '.join(notes[-1])}"
    if flagged := sum(bool(row) for row in notes):
        says = verb(flagged, "says little by itself", "say little by themselves")
        yield f"{flagged} of {counted(len(notes), 'figure')} {says} (`saturation` in the JSON says why)"


def _strata_lines(diagnosis: Diagnosis) -> Iterator[str]:
    rows = {
        (r["by"], r["stratum"]): r for r in diagnosis.tables["strata"].to_dicts() if r["model"] == "model"
    }
    for by, one, other in (
        ("length", "shorter", "longer"),
        ("format", "less formatted", "more formatted"),
    ):
        told = [
            f"{100 * r['accuracy']:.1f}{_range(r['ci_low'], r['ci_high'])} where it is the {name} one (n {r['n']})"
            for name in (one, other)
            if (r := rows.get((by, name)))
        ]
        if told:
            yield f"by the better response's {by}: {', '.join(told)}"


def _calibration_lines(diagnosis: Diagnosis) -> Iterator[str]:
    if (table := diagnosis.tables.get("calibration")) is None:
        return
    for r in table.to_dicts():
        whose = "" if r["model"] == "model" else f" of the {r['model']}"
        blind = (
            "" if r["temperature"] is not None else "; its margins do not say which is better: all at a half"
        )
        yield (
            f"calibration{whose} ({r['probabilities']}): ECE {r['ece']:.3f}{_plain_range(r['ece_ci_low'], r['ece_ci_high'])}, "
            f"{r['ece_by_chance']:.3f} by chance alone; Brier {r['brier']:.3f}{_plain_range(r['brier_ci_low'], r['brier_ci_high'])}, 0.25 is a coin{blind}"
        )


def _repeat_lines(diagnosis: Diagnosis) -> Iterator[str]:
    if (table := diagnosis.tables.get("repeats")) is None:
        return
    row = table.row(-1, named=True)
    if row["changed"] is not None:
        ends = _range(row["changed_ci_low"], row["changed_ci_high"])
        yield f"asked {row['runs']} times: {100 * row['changed']:.1f} %{ends} of the verdicts change"
    if row["floor"] is not None:
        share = (
            ""
            if row["share_of_variance"] is None
            else f"; {100 * row['share_of_variance']:.0f} % of the variance behind its interval is the model's own"
        )
        yield f"  two runs of this model differ by up to {100 * row['floor']:.1f} points on {row['subset']} 95 times in 100{share}"


def _plain_range(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" [{low:.3f}, {high:.3f}]"


def _accuracy(row: dict[str, Any], *, several: bool, compared: bool) -> dict[str, str]:
    """One row as it is shown; ``several``: the benchmark has several metrics."""
    shown = {"subset": row["subset"] + (" *" if row["partial"] else "")}
    if several:
        shown["metric"] = row["metric"]
    shown |= {
        "n": str(row["n"]),
        "accuracy": f"{100 * row['accuracy']:.1f}{_range(row['ci_low'], row['ci_high'])}",
    }
    return shown | (_comparison(row) if compared else {})


def _comparison(row: dict[str, Any]) -> dict[str, str]:
    return {
        "baseline": f"{100 * row['baseline_accuracy']:.1f}",
        "difference": f"{100 * row['difference']:+.1f}{_range(row['diff_ci_low'], row['diff_ci_high'], '+')}",
        "better:worse": "-" if row["better"] is None else f"{row['better']}:{row['worse']}",
        "p": _p(row["p_value"]),
        "q": _p(row["q_value"]),
    }


def _alignment_table(frame: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    from ..mismatch import METRICS
    from ..mismatch.metrics import PLACEBO

    rows = []
    for row in frame.iter_rows(named=True):
        metric = METRICS[row["metric"]]
        digits = metric.digits
        shown = {
            "metric": f"{metric.label} ({metric.better} is better)",
            "value": _figure(row["value"], row["ci_low"], row["ci_high"], digits),
            "floor": "" if row["floor"] is None else f"{row['floor']:.{digits}f}",
        }
        if row["difference"] is not None:
            shown["baseline"] = f"{row['baseline_value']:.{digits}f}"
            ends = row["diff_ci_low"], row["diff_ci_high"]
            shown["difference"] = _figure(row["difference"], *ends, digits, "+")
            shown["p"] = "" if row["p_value"] is None else _p(row["p_value"])
            shown[PLACEBO] = metric.shown(row["placebo_value"])
        rows.append(shown)
    return pl.DataFrame(rows)


def _range(low: float | None, high: float | None, sign: str = "") -> str:
    if low is None or high is None:
        return ""
    return f" [{100 * low:{sign}.1f}, {100 * high:{sign}.1f}]"


def _figure(value: float, low: float | None, high: float | None, digits: int, sign: str = "") -> str:
    shape = f"{sign}.{digits}f"
    interval = "" if low is None or high is None else f" [{low:{shape}}, {high:{shape}}]"
    return f"{value:{shape}}{interval}"


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return "<0.001" if value < 0.001 else f"{value:.3f}"
