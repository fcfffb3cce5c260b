"""``charm evaluate``: a reward model on benchmarks, and scores against human ratings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..settings import EvaluateSettings, LocalModelSettings, RatingsChoice
from .common import console, print_frame, print_json, say
from .options import (
    PATH,
    draws_option,
    force_option,
    json_option,
    model_options,
    option_of,
    output_option,
    ratings_options,
    seed_option,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from ..benchmarks import Benchmark
    from ..evaluate import AlignmentResult, BenchmarkResult
    from ..statistics import FloatArray

    Truncated = dict[str, dict[str, int]]


@click.command("evaluate")
@click.option(
    "--rm",
    metavar="SPEC",
    help="Reward model to evaluate: a local folder, a hub id, or what `charm score` takes.",
)
@click.option("--baseline", metavar="SPEC", help="Reward model to compare it with, on the same items.")
@click.option("--benchmark", "names", multiple=True, metavar="NAME", help="llmbar or rm-bench; repeatable.")
@click.option("--data", type=PATH, help="Folder with the benchmarks' original files, or a parent of several.")
@option_of(EvaluateSettings, "limit")
@model_options
@click.option("--scores", type=PATH, help="Scores of many policies' responses, to hold against ratings.")
@click.option("--baseline-scores", type=PATH, help="The baseline's scores of the same responses.")
@ratings_options
@draws_option
@seed_option
@output_option(what="Folder for benchmarks.parquet, alignment.parquet and evaluation.json.")
@force_option
@json_option
def command(
    rm: str | None,
    baseline: str | None,
    names: tuple[str, ...],
    data: Path | None,
    limit: int | None,
    scores: Path | None,
    baseline_scores: Path | None,
    ratings: RatingsChoice,
    draws: int,
    seed: int,
    output: Path | None,
    force: bool,
    as_json: bool,
    loading: LocalModelSettings,
) -> None:
    """How good is a reward model: on benchmarks, and at ranking policies as people do?

    Benchmarks are read from their original files and scored as their authors score them; where files are
    missing the averages are labelled partial. With --baseline every accuracy comes with the difference from
    the baseline, its interval, and an exact McNemar test on the same items (q: adjusted for all the rows of
    the benchmark). With --scores and --ratings, rank correlation and mean |win rate - expected| say how well
    scores of many policies' responses agree with human ratings; this needs no model.

    \b
    Examples:
      charm evaluate --rm my-rm --benchmark llmbar --benchmark rm-bench --data benchmarks
      charm evaluate --rm calibrated --baseline my-rm --benchmark rm-bench --data RM-Bench -o run/evaluation
      charm evaluate --rm my-rm --benchmark rm-bench --data RM-Bench --limit 100
      charm evaluate --scores after.parquet --baseline-scores before.parquet --ratings arena
    """
    _check_usage(rm, baseline, names, data, scores, baseline_scores, ratings.source)
    from ..evaluate import evaluation_json, refuse_existing_evaluation, save_evaluation
    from ..provenance import versions

    if output:
        refuse_existing_evaluation(output, force=force)
    alignment = None
    if scores and ratings.source:
        alignment = _align(scores, baseline_scores, ratings, draws=draws, seed=seed)
    benchmarks = [_load(name, data, limit=limit, seed=seed) for name in names if data]
    results, truncated = (
        _evaluate(rm, baseline, benchmarks, loading.values(), draws=draws, seed=seed) if rm else ([], {})
    )
    settings: dict[str, Any] = {
        "rm": rm,
        "baseline": baseline,
        "scores": scores,
        "baseline_scores": baseline_scores,
    }
    settings |= {"ratings": ratings.source, "limit": limit, "draws": draws, "seed": seed, **loading.values()}
    provenance = {"verb": "evaluate", "settings": settings, "truncated": truncated, "versions": versions()}
    if as_json:
        print_json(evaluation_json(results, alignment, provenance=provenance))
    else:
        _print(results, alignment)
    if output:
        save_evaluation(output, results, alignment, provenance=provenance, force=force)
        say(f"wrote {output}")


def _check_usage(
    rm: str | None,
    baseline: str | None,
    names: tuple[str, ...],
    data: Path | None,
    scores: Path | None,
    baseline_scores: Path | None,
    ratings: str | None,
) -> None:
    """Refuse incomplete requests before anything is loaded."""
    if (rm or baseline or data or names) and not (rm and data and names):
        raise click.UsageError("--rm, --benchmark and --data go together")
    if bool(scores) != bool(ratings):
        raise click.UsageError("--scores and --ratings go together")
    if baseline_scores and not scores:
        raise click.UsageError("--baseline-scores needs --scores")
    if not names and not scores:
        raise click.UsageError("give --rm with --benchmark and --data, or --scores with --ratings")


# --- calling ------------------------------------------------------------------------------------


def _load(name: str, data: Path, *, limit: int | None, seed: int) -> Benchmark:
    from ..benchmarks import load_benchmark

    benchmark = load_benchmark(name, data)
    return benchmark.sample(limit, seed=seed) if limit else benchmark


def _evaluate(
    rm: str,
    baseline: str | None,
    benchmarks: list[Benchmark],
    loading: dict[str, Any],
    *,
    draws: int,
    seed: int,
) -> tuple[list[BenchmarkResult], Truncated]:
    """One model in memory at a time: all benchmarks with the one, then all with the other."""
    from ..evaluate import compare_with_baseline

    results, cut = _evaluate_one(rm, benchmarks, loading, draws=draws, seed=seed)
    if baseline is None:
        return results, {"rm": cut}
    others, cut_of_baseline = _evaluate_one(baseline, benchmarks, loading, draws=draws, seed=seed)
    pairs = zip(results, others, strict=True)
    compared = [compare_with_baseline(mine, theirs, draws=draws, seed=seed) for mine, theirs in pairs]
    return compared, {"rm": cut, "baseline": cut_of_baseline}


def _evaluate_one(
    rm: str, benchmarks: list[Benchmark], loading: dict[str, Any], *, draws: int, seed: int
) -> tuple[list[BenchmarkResult], dict[str, int]]:
    """The results, and by benchmark how many conversations were cut to the maximum length."""
    from ..evaluate import evaluate_benchmark
    from ..models import score_texts
    from ..specs import load_scorer

    model = load_scorer(rm, **loading)
    results, truncated = [], {}
    for benchmark in benchmarks:
        say(f"{rm}: {benchmark.name}, {len(benchmark.items)} items")

        def scorer(
            prompts: Sequence[Any], responses: Sequence[str], name: str = benchmark.name
        ) -> FloatArray:
            scored = score_texts(model, prompts, responses)
            truncated[name] = sum(scored.truncated or ())
            return scored.values

        results.append(evaluate_benchmark(scorer, benchmark, draws=draws, seed=seed))
    return results, truncated


def _align(
    scores: Path, baseline: Path | None, ratings: RatingsChoice, *, draws: int, seed: int
) -> AlignmentResult:
    from ..evaluate import alignment_with_ratings
    from ..ratings import load_ratings
    from ..store import load
    from ..tables import Scores

    return alignment_with_ratings(
        load(Scores, scores),
        load_ratings(str(ratings.source), category=ratings.category, date=ratings.date),
        baseline=load(Scores, baseline) if baseline else None,
        aliases=ratings.aliases,
        unrated=ratings.unrated,
        draws=draws,
        seed=seed,
    )


# --- printing -----------------------------------------------------------------------------------


def _print(results: list[BenchmarkResult], alignment: AlignmentResult | None) -> None:
    for result in results:
        _print_accuracies(result)
    if alignment is not None:
        title = f"Alignment with human ratings over {len(alignment.policies)} policies, [] are 95 % intervals"
        print_frame(_alignment_table(alignment.frame), title=title)


def _print_accuracies(result: BenchmarkResult) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    benchmark, frame = result.benchmark, result.frame
    compared = frame["difference"].null_count() == 0
    label = " (PARTIAL)" if benchmark.partial else ""
    table = Table(
        title=f"{benchmark.name}{label}: accuracy in %, \\[] are 95 % intervals",
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    several = frame["metric"].n_unique() > 1
    for name in ("subset", "metric") if several else ("subset",):
        table.add_column(name, no_wrap=True)
    for name in ("n", "accuracy", *(_COMPARISON if compared else ())):
        table.add_column(name, justify="right", no_wrap=True)
    for row in frame.iter_rows(named=True):
        cells = [row["subset"] + (" *" if row["partial"] else ""), *([row["metric"]] if several else [])]
        cells += [str(row["n"]), f"{100 * row['accuracy']:.1f}{_range(row['ci_low'], row['ci_high'])}"]
        cells += _comparison(row) if compared else []
        table.add_row(*[c.replace("[", r"\[") for c in cells], end_section=row["metric"] == "average")
    console().print(table)
    for note in benchmark.notes:
        click.echo(f"  * partial: {note}")
    counted = "wrong" if benchmark.tie_value == 0 else "half right"
    click.echo(f"  equal scores: {frame['ties'][-1]} (counted {counted}, as in the official scoring)")
    if compared:
        click.echo(
            "  p: exact McNemar test on the prompts that differ (better:worse); q: adjusted for all rows"
        )
    click.echo()


_COMPARISON = ("baseline", "difference", "better:worse", "p", "q")


def _comparison(row: dict[str, Any]) -> list[str]:
    return [
        f"{100 * row['baseline_accuracy']:.1f}",
        f"{100 * row['difference']:+.1f}{_range(row['diff_ci_low'], row['diff_ci_high'], '+')}",
        f"{row['better']}:{row['worse']}",
        _p(row["p_value"]),
        _p(row["q_value"]),
    ]


def _alignment_table(frame: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    rows = []
    for row in frame.iter_rows(named=True):
        shown = {
            "metric": _ALIGNMENT_NAMES[row["metric"]],
            "value": _figure(row["value"], row["ci_low"], row["ci_high"]),
        }
        if row["difference"] is not None:
            shown["baseline"] = f"{row['baseline_value']:.3f}"
            shown["difference"] = _figure(row["difference"], row["diff_ci_low"], row["diff_ci_high"], "+")
        rows.append(shown)
    return pl.DataFrame(rows)


_ALIGNMENT_NAMES = {
    "spearman": "Spearman correlation",
    "kendall": "Kendall correlation",
    "mean_abs_mismatch": "mean |win rate - expected| (lower is better)",
}


def _range(low: float | None, high: float | None, sign: str = "") -> str:
    if low is None or high is None:
        return ""
    return f" [{100 * low:{sign}.1f}, {100 * high:{sign}.1f}]"


def _figure(value: float, low: float | None, high: float | None, sign: str = "") -> str:
    interval = "" if low is None or high is None else f" [{low:{sign}.3f}, {high:{sign}.3f}]"
    return f"{value:{sign}.3f}{interval}"


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"
