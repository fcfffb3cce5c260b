"""``charm score``: responses and a reward model -> scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .common import (
    force_option,
    json_option,
    model_options,
    output_option,
    print_frame,
    print_json,
    rm_option,
    say,
    seed_option,
)

if TYPE_CHECKING:
    import polars as pl

    from ..tables import Responses, Scores


@click.command()
@click.argument("source", metavar="RESPONSES")
@rm_option
@output_option(required=True, what="Where to write the scores (.parquet, .csv, .jsonl).")
@click.option("--policy", "policies", multiple=True, help="Score this policy alone (may be repeated).")
@click.option(
    "--n-prompts", type=click.IntRange(min=1), help="Score a random sample of prompts (default: all)."
)
@seed_option
@click.option("--split", help="Which split of a `datasets` folder or hub id.")
@model_options
@click.option("--token-budget", type=click.IntRange(min=1), help="Tokens per batch, padding included.")
@force_option
@json_option
def command(
    source: str,
    rm: str,
    output: Path,
    policies: tuple[str, ...],
    n_prompts: int | None,
    seed: int,
    split: str | None,
    token_budget: int | None,
    force: bool,
    as_json: bool,
    **loading: Any,
) -> None:
    """Score responses with a reward model.

    RESPONSES is a Parquet, JSONL, CSV or JSON table (prompt, policy, response, and prompt_id if you have it), an
    AlpacaEval model_outputs.json, a folder of POLICY/model_outputs.json, or a `datasets` folder or hub id. The
    reward model is any Hugging Face sequence-classification model with one output, or a PEFT adapter of one.
    With --n-prompts only prompts that every policy answered are drawn. A run that was stopped goes on where it
    was when the same command is given again.

    \b
    Examples:
      charm score responses.parquet --rm ./my-rm -o scores.parquet
      charm score results/ --rm org/some-rm -o scores.parquet --dtype bfloat16
      charm score responses.jsonl --rm ./my-rm -o s.parquet --policy gpt-4o --policy my-model --n-prompts 200
    """
    from ..models import load_any_responses, load_reward_model, score_responses
    from ..responses import sample_instructions
    from ..store import refuse_table, save

    refuse_table(output, force=force)
    responses = sample_instructions(
        load_any_responses(source, split=split),
        n=n_prompts,
        seed=seed,
        policies=policies or None,
        complete=n_prompts is not None,
    )
    model = load_reward_model(rm, **loading)
    partial = output.with_name(f".{output.name}.partial.jsonl")
    if partial.exists():
        say(f"going on from {partial}")
    scores = score_responses(model, responses, token_budget=token_budget, checkpoint=partial)
    save(scores, output, force=force)
    partial.unlink(missing_ok=True)
    _show(scores, responses, output, as_json=as_json)


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

    return (
        scores.frame.group_by("policy")
        .agg(
            pl.len().alias("n"),
            pl.col("score").mean().alias("mean_score"),
            pl.col("score").std().alias("sd"),
            pl.col("n_tokens").mean().alias("mean_tokens"),
            pl.col("truncated").mean().alias("truncated"),
        )
        .join(count_empty(responses).drop("n"), on="policy")
        .sort("mean_score", descending=True)
    )
