"""The tables that ``charm evaluate`` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import counted
from .common import conclude, csv_table, echo, print_frame, print_json

if TYPE_CHECKING:
    import polars as pl

    from ..benchmarks import Registered
    from ..evaluate import AlignmentResult, BenchmarkResult


def print_evaluation(results: Sequence[BenchmarkResult], alignment: AlignmentResult | None) -> None:
    """A table per benchmark, and one of the alignment with ratings."""
    import polars as pl

    conclude("; ".join(_in_short(results, alignment)))
    for result in results:
        _print_accuracies(result, full=pl.concat([r.frame for r in results], how="diagonal"))
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


def _print_accuracies(result: BenchmarkResult, *, full: pl.DataFrame) -> None:
    import polars as pl

    benchmark, frame = result.benchmark, result.frame
    compared = frame["difference"].null_count() == 0
    label = " (PARTIAL)" if benchmark.partial else ""
    several = frame["metric"].n_unique() > 1
    rows = [_accuracy(row, several=several, compared=compared) for row in frame.iter_rows(named=True)]
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
    tie = benchmark.tie_value if result.scored[0].scores is not None else benchmark.tie_value_of_judges
    counted = {0.0: "wrong", 0.5: "half right"}.get(tie, f"as {tie:g}")
    echo(f"  equal scores: {frame['ties'][-1]} (counted {counted}, as in the official scoring)")
    if result.unanswered:
        echo(f"  without a verdict in either order: {result.unanswered} comparisons (counted wrong)")
    if compared:
        echo("  p: exact McNemar test on the prompts that differ (better:worse); q: adjusted for all rows")
    echo()


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
