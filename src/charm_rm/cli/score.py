"""``charm score``: responses and a reward model -> scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..settings import ModelSettings, ResponsesSettings, ScoreSettings
from .common import print_frame, print_json, say
from .options import (
    check_store_usage,
    force_option,
    json_option,
    option_of,
    output_option,
    seed_option,
    settings_options,
    store_options,
    value_store,
)

if TYPE_CHECKING:
    import polars as pl

    from ..protocols import ScalarReward
    from ..tables import Responses, Scores


@click.command()
@click.argument("source", metavar="RESPONSES")
@click.option("--rm", required=True, metavar="SPEC", help="What scores: see above.")
@output_option(required=True, what="Where to write the scores (.parquet, .csv, .jsonl).")
@option_of(ResponsesSettings, "policies")
@option_of(ResponsesSettings, "n_prompts")
@seed_option
@option_of(ResponsesSettings, "split")
@settings_options(ModelSettings, "loading")
@option_of(ScoreSettings, "token_budget")
@option_of(ScoreSettings, "unchecked")
@store_options("scores")
@force_option
@json_option
def command(
    source: str,
    rm: str,
    output: Path,
    policies: tuple[str, ...] | None,
    n_prompts: int | None,
    seed: int,
    split: str | None,
    token_budget: int | None,
    unchecked: bool,
    cache: Path | None,
    no_cache: bool,
    force: bool,
    as_json: bool,
    loading: ModelSettings,
) -> None:
    """Score responses with a reward model.

    RESPONSES is a Parquet, JSONL, CSV or JSON table (prompt, policy, response, and prompt_id if you have it), an
    AlpacaEval model_outputs.json, a folder of POLICY/model_outputs.json, or a `datasets` folder or hub id. With
    --n-prompts only prompts that every policy answered are drawn.

    \b
    SPEC, what scores:
      DIR_OR_ID               a reward model: a local folder, an adapter, or a Hugging Face hub id
      dpo:POLICY,REFERENCE    the implicit reward of a DPO policy against what it was trained from
      vllm:URL, tei:URL       a vLLM or Text Embeddings Inference server
      python:MODULE:FUNCTION  a function (prompts, responses) -> scores

    A local reward model is looked over first, and refused where its scores would be wrong (`charm doctor` tells more).

    Scores are kept in a store, under a hash of model, settings and text: nothing is scored twice, and a run
    that was stopped goes on where it was when the same command is given again.

    \b
    Examples:
      charm score responses.parquet --rm ./my-rm -o scores.parquet
      charm score results/ --rm org/some-rm -o scores.parquet --dtype bfloat16
      charm score responses.jsonl --rm ./my-rm -o s.parquet --policy gpt-4o --policy my-model --n-prompts 200
      charm score responses.parquet --rm vllm:http://localhost:8000 -o scores.parquet
    """
    from ..models import load_any_responses, score_responses
    from ..responses import sample_instructions
    from ..specs import load_scorer
    from ..store import refuse_table, save

    check_store_usage(cache, no_cache=no_cache)
    refuse_table(output, force=force)
    with value_store(output, cache, no_cache=no_cache) as memo:
        responses = sample_instructions(
            load_any_responses(source, split=split),
            n=n_prompts,
            seed=seed,
            policies=policies,
            complete=n_prompts is not None,
        )
        model = load_scorer(rm, **loading.values())
        if not unchecked:
            _refuse_unsound(model)
        scores = score_responses(model, responses, token_budget=token_budget, memo=memo)
        save(scores, output, force=force)
    _show(scores, responses, output, as_json=as_json)


def _refuse_unsound(model: ScalarReward) -> None:
    """The cheap part of `charm doctor`, for models that it can look into."""
    from ..models import RewardModel
    from ..models.doctor import refuse_unsound

    if isinstance(model, RewardModel):
        refuse_unsound(model)


def _show(scores: Scores, responses: Responses, output: Path, *, as_json: bool) -> None:
    summary = summarise(scores, responses)
    if as_json:
        print_json(
            {"output": str(output), "policies": summary.to_dicts(), "provenance": dict(scores.provenance)}
        )
        return
    print_frame(summary, title=f"Scores of {len(scores)} responses, best mean first")
    say(f"wrote {output}")


def summarise(scores: Scores, responses: Responses) -> pl.DataFrame:
    """Per policy: number of responses, mean score and spread, mean tokens, share truncated, number empty."""
    import polars as pl

    from ..responses import count_empty

    figures = {
        "n_tokens": pl.col("n_tokens").mean().alias("mean_tokens"),
        "truncated": pl.col("truncated").mean(),
    }
    return (
        scores.frame.group_by("policy")
        .agg(
            pl.len().alias("n"),
            pl.col("score").mean().alias("mean_score"),
            pl.col("score").std().alias("sd"),
            *(figure for column, figure in figures.items() if column in scores.frame.columns),
        )
        .join(count_empty(responses).drop("n"), on="policy")
        .sort("mean_score", descending=True)
    )
