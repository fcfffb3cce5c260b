"""``charm generate``: prompts and policies -> responses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import counted
from ..settings import EngineSettings, GenerateSettings, parse_columns
from .common import conclude, echo, print_frame, print_json, say
from .help import CharmCommand
from .options import (
    PATH,
    check_store_usage,
    force_option,
    given_paths,
    json_option,
    output_option,
    settings_options,
    store_options,
)

if TYPE_CHECKING:
    import polars as pl

    from ..generation import Generated, GenerationEstimate, Taken
    from ..pipeline.stages.generate import GenerateRun


@click.command("generate", cls=CharmCommand)
@click.argument("prompts", type=PATH)
@output_option(required=True, what="Folder for the responses: a Parquet file a policy, and _manifest.json.")
@settings_options(GenerateSettings, "settings")
@settings_options(EngineSettings, "engine")
@store_options("answers")
@click.option("--dry-run", is_flag=True, help="Print how many calls the run would make; ask nothing.")
@force_option
@json_option
def command(
    prompts: Path,
    output: Path,
    settings: GenerateSettings,
    engine: EngineSettings,
    cache: Path | None,
    no_cache: bool,
    dry_run: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Let policies answer prompts; mark what is empty, refused or cut off.

    PROMPTS is a Parquet, JSONL, CSV or JSON table with a prompt (text, or messages) in each row, and prompt_id if you have it.
    Tables of responses and of preference pairs have prompts, too. The output folder is what `charm score` takes as RESPONSES.

    Every answer is stored as it comes, so the same command continues a run that was stopped, and nothing is asked twice. What
    decides an answer is in the manifest. A changed setting is another answer: it is asked for again, and that is said.

    With --engine ray actors ask, here or on the cluster at --ray-address, each with the model loaded once. Answers, counts and
    manifest are those of one process. A policy that fails is named while the others finish.

    \b
    SPEC, what answers ([NAME=]SPEC gives it a name):
      hf:DIR_OR_ID            a local model, by transformers
      vllm:DIR_OR_ID          a local model, by vLLM's engine
      openai:MODEL@URL        any OpenAI-compatible server
      python:MODULE:FUNCTION  a function (prompts) -> texts
      outputs:PATH            outputs that exist (AlpacaEval, JSONL ...)

    \b
    Examples:
      charm generate prompts.parquet --policy hf:./my-model -o responses/
      charm generate prompts.jsonl -o responses/ \\
          --policy brief=hf:./my-model --system "Be brief." --max-tokens 200
      charm generate prompts.jsonl --policies policies.yaml -o responses/ \\
          --dry-run
      charm generate prompts.jsonl -o responses/ --temperature 0.7 \\
          --policy openai:qwen3@http://localhost:8000/v1 --samples 4
      charm generate prompts.parquet --policy hf:./my-model -o responses/ \\
          --engine ray --ray-workers 8 --ray-gpus-per-worker 1
    """
    from ..folders import refuse_folder
    from ..generation import load_prompts
    from ..pipeline.stages.generate import estimate, generate, wanted_policies
    from ..pipeline.stages.outputs import value_store
    from ..provenance import source_name

    check_store_usage(cache, no_cache=no_cache, output=output)
    refuse_folder(output, force=force, inputs=[*given_paths(), *_spec_paths(settings)])
    wanted = wanted_policies(settings)
    table = load_prompts(prompts, columns=parse_columns(settings.columns))
    if dry_run:
        return _show_estimate(estimate(table, settings), as_json=as_json)
    for one in wanted:
        if one.name is not None:
            say(f"policy {one.name}: {source_name(one.spec)}")
    with value_store(output, cache, no_cache=no_cache, say=say) as memo:
        how: dict[str, Any] = {"memo": memo, "source": str(prompts), "force": force, "engine": engine}
        run = generate(table, settings, output, say=say, **how)
    return _show(run, output, prompts=table.height, as_json=as_json)


def _spec_paths(settings: GenerateSettings) -> list[str]:
    """What may be a folder or file in the specs: no output may replace it."""
    rest = [text.partition("=")[2] or text for text in settings.policies]
    return [part for text in (*settings.policies, *rest) for part in (text, text.partition(":")[2]) if part]


# --- printing -----------------------------------------------------------------------------------


def _show_estimate(estimates: list[GenerationEstimate], *, as_json: bool) -> None:
    import polars as pl

    if as_json:
        return print_json({"policies": [vars(one) for one in estimates]})
    calls = sum(one.calls for one in estimates)
    conclude(f"{counted(len(estimates), 'policy', 'policies')}, at most {counted(calls, 'call')}")
    frame = pl.DataFrame([vars(one) for one in estimates])
    shown = (
        frame.drop("cost")
        if "cost" in frame.columns and frame["cost"].null_count() == frame.height
        else frame
    )
    print_frame(shown, title="At most; what is in the store is not asked again", full=frame)
    echo("tokens in are a guess from the texts' length, tokens out count every answer at its longest")
    return None


def _show(run: GenerateRun, output: Path, *, prompts: int, as_json: bool) -> None:
    import polars as pl

    rows = [_row(part) for part in run.parts]
    if as_json:
        return print_json({"output": str(output), "run": rows, "manifest": run.manifest})
    total = sum(row["answers"] for row in rows)
    conclude(
        f"{counted(total, 'answer')} of {counted(len(rows), 'policy', 'policies')} to {counted(prompts, 'prompt')}; "
        f"{sum(row['asked'] for row in rows):,} asked now, {sum(row['known'] for row in rows):,} known"
    )
    frame = pl.DataFrame(rows)
    gone = [name for name in ("too_long", "failed") if not frame[name].sum()]
    print_frame(
        frame.drop(gone),
        title=f"Answers to {counted(prompts, 'prompt')}",
        extra=("known", "tokens"),
        full=frame,
    )
    _show_usage(run)
    say(f"wrote {output}; next: charm responses check {output}")
    return None


def _row(part: Generated | Taken) -> dict[str, Any]:
    """A policy's line of the table."""
    from ..generation import Taken
    from ..generation.marks import count_marks

    return {
        "policy": part.name if isinstance(part, Taken) else part.plan.name,
        **count_marks(part.frame),
        "too_long": 0 if isinstance(part, Taken) else part.too_long,
        "failed": 0 if isinstance(part, Taken) else part.failed,
        "words": _mean_words(part.frame),
        "tokens": part.frame["n_tokens"].mean(),
        "asked": 0 if isinstance(part, Taken) else part.asked,
        "known": part.frame.height if isinstance(part, Taken) else part.known,
    }


def _mean_words(frame: pl.DataFrame) -> float:
    """Mean number of words of an answer, between white space."""
    import polars as pl

    counts = frame.select(pl.col("response").str.count_matches(r"\S+").mean())
    return float(counts.item() or 0.0)


def _show_usage(run: GenerateRun) -> None:
    """Tokens and money, where they are known."""
    asked = [one for one in run.manifest["policies"] if "usage" in one]
    tokens_in, tokens_out = (sum(one["usage"][name] for one in asked) for name in ("tokens_in", "tokens_out"))
    if tokens_in or tokens_out:
        costs = [one["cost"] for one in asked]
        cost = f", cost {sum(costs):,.4f}" if costs and None not in costs else ""
        echo(f"tokens of all answers {tokens_in:,} in, {tokens_out:,} out{cost}")
