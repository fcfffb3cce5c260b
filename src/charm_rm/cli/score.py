"""``charm score``: responses and a reward model -> scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import counted
from ..settings import EngineSettings, ModelSettings, ResponsesSettings, ScoreSettings
from .common import conclude, print_frame, print_json, say
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

    from ..tables import Responses, Scores


# Settings of scores made elsewhere, which a run takes.
_OF_SCORES = ("columns", "reward_model", "sample")


@click.command("score", cls=CharmCommand)
@click.argument("source", metavar="RESPONSES")
@click.option("--rm", required=True, metavar="SPEC", help="The model that scores: see SPEC above.")
@output_option(required=True, what="Where to write the scores (.parquet, .csv, .jsonl).")
@settings_options(ResponsesSettings, "responses", but=("test_fraction",), argument="source")
@seed_option
@settings_options(ModelSettings, "loading")
@settings_options(
    ScoreSettings, "scoring", but=("scores", "judgements", "annotator", "baseline", *_OF_SCORES)
)
@settings_options(EngineSettings, "engine")
@store_options("scores")
@force_option
@json_option
def command(
    responses: ResponsesSettings,
    rm: str,
    output: Path,
    seed: int,
    scoring: ScoreSettings,
    loading: ModelSettings,
    engine: EngineSettings,
    cache: Path | None,
    no_cache: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Score responses with a reward model.

    RESPONSES is a Parquet, JSONL, CSV or JSON table (prompt, policy, response, and prompt_id if you have it), an
    AlpacaEval model_outputs.json, a folder of POLICY/model_outputs.json, or a `datasets` folder or hub id. --n-prompts draws
    from the prompts that every policy answered.

    \b
    SPEC, what scores:
      DIR_OR_ID               a reward model: local folder, adapter, or hub id
      dpo:POLICY,REFERENCE    the implicit reward of a DPO policy
      vllm-offline:DIR_OR_ID  a reward model in vLLM's engine ([vllm] extra)
      vllm:URL, tei:URL       a vLLM or Text Embeddings Inference server
      python:MODULE:FUNCTION  a function (prompts, responses) -> scores

    A local reward model is checked first, and refused if its scores would be wrong (`charm doctor` gives the details).

    Scores are kept in a store, by a hash of model, settings and text. Nothing is scored twice, and the same command continues
    a run that was stopped. The store keeps the model's own scores; --calibrator adds its correction afterwards, so a new
    calibrator needs no new scoring.

    --engine ray scores partitioned Parquet by actors, each of which loads the model once, here or on the cluster at --ray-address.
    Rows, order and scores are those of one process. A run that was stopped keeps the parts that it finished, and a partition that
    cannot be read is named while the others go on.

    \b
    Examples:
      charm score responses.parquet --rm ./my-rm -o scores.parquet
      charm score results/ --rm org/some-rm -o scores.parquet --dtype bfloat16
      charm score responses.jsonl --rm ./my-rm -o s.parquet --policy gpt-4o \\
          --policy my-model --n-prompts 200
      charm score responses.parquet --rm ./my-rm --calibrator calibrator.json \\
          -o calibrated.parquet
      charm score partitions/ --rm org/some-rm -o scores.parquet --engine ray \\
          --ray-workers 8 --ray-gpus-per-worker 1
      charm score responses.parquet --rm vllm:http://localhost:8000 \\
          -o scores.parquet
    """
    from ..pipeline.stages.outputs import value_store
    from ..pipeline.stages.responses import read_responses
    from ..pipeline.stages.score import score, score_by
    from ..store import refuse_table

    check_store_usage(cache, no_cache=no_cache, output=output)
    refuse_table(output, force=force, inputs=given_paths())
    with value_store(output, cache, no_cache=no_cache, say=say) as memo:
        how: dict[str, Any] = {"loading": loading, "scoring": scoring, "memo": memo, "force": force}
        if engine.engine == "ray":
            table = None
            scores = score_by(engine, responses, rm, output, **how)
        else:
            table = read_responses(responses, seed=seed, complete=responses.n_prompts is not None)
            scores = score(table, rm, output, **how)
    _show(scores, table, output, as_json=as_json)


def _show(scores: Scores, responses: Responses | None, output: Path, *, as_json: bool) -> None:
    summary = _summarise(scores, responses)
    if as_json:
        print_json(
            {"output": str(output), "policies": summary.to_dicts(), "provenance": dict(scores.provenance)}
        )
        return
    best = summary.row(0, named=True)
    conclude(
        f"{counted(len(scores), 'response')} of {counted(summary.height, 'policy', 'policies')} scored; "
        f"best mean: {best['policy']}, {best['mean_score']:.3f}"
    )
    print_frame(summary, title=f"Scores of {counted(len(scores), 'response')}, best mean first")
    say(f"wrote {output}")


def _summarise(scores: Scores, responses: Responses | None) -> pl.DataFrame:
    """Per policy: number of responses, mean score and spread, mean tokens, share truncated, number empty."""
    import polars as pl

    from ..responses import count_empty

    figures = {
        "n_tokens": pl.col("n_tokens").mean().alias("mean_tokens"),
        "truncated": pl.col("truncated").mean(),
    }
    found = (
        scores.frame.group_by("policy")
        .agg(
            pl.len().alias("n"),
            pl.col("score").mean().alias("mean_score"),
            pl.col("score").std().alias("sd"),
            *(figure for column, figure in figures.items() if column in scores.frame.columns),
        )
        .sort("mean_score", descending=True)
    )
    if responses is None:  # Ray's actors have read the texts
        return found
    return found.join(count_empty(responses).drop("n"), on="policy", maintain_order="left")
