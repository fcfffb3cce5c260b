"""``charm judge``: pairs of responses and a judge -> margins."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import counted
from ..settings import EngineSettings, JudgeSettings, ResponsesSettings
from .common import conclude, csv_table, echo, heading, interval, print_frame, print_json, say
from .help import CharmCommand
from .options import (
    check_store_usage,
    force_option,
    given_paths,
    json_option,
    output_option,
    seed_option,
    settings_options,
    store_options,
)

if TYPE_CHECKING:
    import polars as pl

    from ..judging import JudgeRun, RunEstimate
    from ..tables import Margins


@click.command("judge", cls=CharmCommand)
@click.argument("source", metavar="RESPONSES")
@settings_options(JudgeSettings, "settings")
@output_option(required=True, what="Where to write the margins (.parquet, .csv, .jsonl).")
@settings_options(ResponsesSettings, "responses", but=("test_fraction",), argument="source")
@seed_option
@settings_options(EngineSettings, "engine")
@store_options("answers")
@click.option("--dry-run", is_flag=True, help="Print how many calls the run would make; ask nothing.")
@force_option
@json_option
def command(
    responses: ResponsesSettings,
    settings: JudgeSettings,
    output: Path,
    seed: int,
    engine: EngineSettings,
    cache: Path | None,
    no_cache: bool,
    dry_run: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Judge pairs of responses, always in both orders; report win rates and position bias.

    RESPONSES is what `charm score` takes. The judge's preference, averaged over both orders, becomes a margin in log-odds.
    `charm audit` and `charm calibrate` take margins as they take scores. An answer without a verdict is counted and left out;
    it is not a tie. Every answer is stored as it arrives, so the same command continues a run that was stopped. With --engine ray
    actors ask, each with the judge loaded once; pairs, answers and margins are those of one process.

    \b
    SPEC, the judge:
      hf:DIR_OR_ID            a local generative model, by its first token
      openai:MODEL            any OpenAI-compatible server, at --base-url
      pair:DIR_OR_ID          a cross-encoder of two responses (PairRM-like)
      python:MODULE:FUNCTION  a function (prompts, first, second) ->
                              probabilities that the first is better

    \b
    Examples:
      charm judge responses.parquet --judge openai:gpt-4.1-mini \\
          --pairs vs:gpt-4o -o m.parquet --dry-run
      charm judge responses.parquet --judge openai:qwen3 \\
          --base-url http://localhost:8000/v1 -o m.parquet
      charm judge results/ --judge hf:./my-judge --pairs sampled:10 \\
          --n-prompts 200 -o margins.parquet
      charm judge r.jsonl --judge openai:gpt-4.1 --prompt arena-hard-like \\
          --price-in 2 --price-out 8 -o m.parquet
    """
    from ..pipeline.stages.judge import estimate, judge
    from ..pipeline.stages.outputs import value_store
    from ..pipeline.stages.responses import read_responses
    from ..specs import split_judge_spec
    from ..store import refuse_table

    check_store_usage(cache, no_cache=no_cache, output=output)
    refuse_table(output, force=force, inputs=given_paths())
    split_judge_spec(settings.spec)
    table = read_responses(responses, seed=seed, complete=responses.n_prompts is not None)
    if dry_run:
        return _show_estimate(estimate(table, settings, seed=seed), as_json=as_json)
    with value_store(output, cache, no_cache=no_cache, say=say) as memo:
        run = judge(table, settings, output, seed=seed, memo=memo, force=force, engine=engine)
    return _show(run, output, settings.pairs, as_json=as_json)


# --- printing -----------------------------------------------------------------------------------


def _show_estimate(estimate: RunEstimate, *, as_json: bool) -> None:
    if as_json:
        return print_json(vars(estimate))
    import polars as pl

    conclude(f"{counted(estimate.pairs, 'pair')}, at most {counted(estimate.calls, 'call')}")
    csv_table(pl.DataFrame([vars(estimate)]))
    echo(f"pairs    {estimate.pairs:,} ({estimate.equal_texts:,} of equal texts: ties, not asked)")
    echo(f"calls    {estimate.calls:,} at most; what is in the store is not asked again")
    if estimate.tokens_in is not None:
        echo(f"tokens   about {estimate.tokens_in:,} in, at most {estimate.tokens_out:,} out")
    if estimate.cost is not None:
        echo(f"cost     about {estimate.cost:,.2f} at most")
    return None


def _show(run: JudgeRun, output: Path, pair_spec: str, *, as_json: bool) -> None:
    kind, _, reference = pair_spec.partition(":")
    rates = _summarise(run.margins, references=[reference] if kind == "vs" else None)
    if as_json:
        spent = {"asked": run.asked, "known": run.known, "spent": vars(run.spent)}
        by_pair = [] if run.bias is None else run.bias.by_pair.to_dicts()
        return print_json(
            {"output": str(output), "win_rates": rates.to_dicts(), "position_bias_by_pair": by_pair}
            | spent
            | {"provenance": dict(run.margins.provenance)}
        )
    lost = _lost(run)
    conclude(
        f"{counted(rates.height, 'pair')} of policies, {counted(len(run.margins), 'judgement')}, "
        f"{counted(lost, 'answer')} without a verdict"
    )
    shown = rates.select("policy", "reference", "n", "win_rate", _interval_column(), "ties", "result")
    print_frame(shown, title="Win rates, against ½", limit=40, extra=("n", "ties"), full=rates)
    _show_bias(run)
    _show_usage(run)
    say(f"wrote {output}; next: charm audit {output} --ratings arena")
    return None


def _summarise(margins: Margins, *, references: Sequence[str] | None = None) -> pl.DataFrame:
    """Per pair of policies: prompts, win rate with its 95 % interval, ties, and whether it differs from ½.

    The interval lies around (wins + ½) / (n + 1), as that of :func:`~charm_rm.judging.clustered_mean`: one prompt proves nothing.
    """
    import polars as pl

    from ..estimates import Z95
    from ..margins import pair_margins, tally_margins

    rates = tally_margins(pair_margins(margins, references=references)).to_win_rates().frame
    centre = (pl.col("win_rate") * pl.col("n") + 0.5) / (pl.col("n") + 1)
    half = Z95 * pl.col("std_err")
    low, high = (centre - half).clip(0, 1), (centre + half).clip(0, 1)
    return rates.select(
        "policy",
        "reference",
        "n",
        "win_rate",
        low.alias("ci_low"),
        high.alias("ci_high"),
        "ties",
        pl.when(low > 0.5)
        .then(pl.lit("wins"))
        .when(high < 0.5)
        .then(pl.lit("loses"))
        .otherwise(pl.lit("open"))
        .alias("result"),
    ).sort("reference", "win_rate", descending=[False, True])


def _interval_column() -> pl.Expr:
    """``[0.201, 0.950]``, a dash where there is no interval."""
    import polars as pl

    def text(row: dict[str, float | None]) -> str:
        low, high = row["ci_low"], row["ci_high"]
        return "-" if low is None or high is None else f"[{low:.3f}, {high:.3f}]"

    return pl.struct("ci_low", "ci_high").map_elements(text, return_dtype=pl.String).alias("95 % CI")


def _lost(run: JudgeRun) -> int:
    """Answers without a verdict."""
    answers = run.margins.provenance["answers"]
    return sum(answers.get(how, 0) for how in ("unread", "refused", "failed"))


def _show_bias(run: JudgeRun) -> None:
    if run.bias is None:
        return
    bias = run.bias
    heading("Position bias")
    echo(
        f"the response shown first wins {50 + 100 * bias.bias.value:.1f} % of verdicts: bias {interval(bias.bias, digits=3)}; "
        f"of probability {interval(bias.bias_soft, digits=3)}"
    )
    echo(
        f"the winner turns with the order in {interval(bias.turned, digits=3)} of {counted(bias.pairs, 'pair')} ({counted(bias.prompts, 'prompt')})"
    )


def _show_usage(run: JudgeRun) -> None:
    how = run.margins.provenance
    answers, pairs = how["answers"], how["pairs"]
    lost = _lost(run)
    heading("Answers")
    echo(
        f"{sum(answers.values()):,} ({run.asked:,} asked now, {run.known:,} known), without a verdict {lost:,} "
        f"({answers.get('refused', 0):,} refused, {answers.get('failed', 0):,} calls failed); pairs dropped {pairs['dropped']:,}, judged in one order {pairs['one_order']:,}, "
        f"of equal texts {pairs['equal_texts']:,}"
    )
    usage = how["usage"]
    if usage["uncounted"] < usage["calls"]:
        cost = "" if how["cost"] is None else f", cost {how['cost']:,.4f}"
        echo(
            f"tokens of all answers {usage['tokens_in']:,} in, {usage['tokens_out']:,} out{cost}; "
            f"of those asked now {run.spent.tokens_in:,} in, {run.spent.tokens_out:,} out"
        )
