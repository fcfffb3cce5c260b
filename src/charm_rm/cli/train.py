"""``charm train``: preference pairs and a reward model -> a fine-tuned reward model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .common import (
    PATH,
    force_option,
    json_option,
    output_option,
    print_frame,
    print_json,
    ratings_options,
    rm_option,
    say,
    seed_option,
    trust_option,
)

if TYPE_CHECKING:
    from ..mismatch import Audit
    from ..models.training.settings import TrainResult

POSITIVE = click.IntRange(min=1)


@click.command("train")
@click.argument("prefs", type=PATH)
@rm_option
@output_option(required=True, what="Folder for the trained model.")
@click.option("--lr", "learning_rate", default=2e-6, show_default=True, help="Peak learning rate.")
@click.option("--batch-size", type=POSITIVE, default=64, show_default=True, help="Pairs per optimiser step.")
@click.option(
    "--device-batch-size",
    type=POSITIVE,
    help="Pairs per forward pass (default: up to 8); gradients accumulate.",
)
@click.option("--epochs", default=1.0, show_default=True, help="Passes over the pairs.")
@click.option("--max-steps", type=POSITIVE, help="Stop after this many optimiser steps.")
@click.option(
    "--max-length", type=POSITIVE, default=4096, show_default=True, help="Tokens, capped by the model."
)
@click.option("--lora", is_flag=True, help="Train low-rank adapters and the reward head, not all weights.")
@click.option("--lora-rank", type=POSITIVE, default=16, show_default=True)
@click.option(
    "--merge/--no-merge",
    default=True,
    show_default=True,
    help="Fold adapters into the weights, or save them apart.",
)
@click.option("--margin-loss", is_flag=True, help="Ask r_chosen to lead by the pair's margin.")
@click.option("--soft-labels", is_flag=True, help="Train on p_chosen instead of hard labels.")
@click.option("--new-head", is_flag=True, help="Give a backbone that has no reward head a fresh one.")
@click.option("--no-dropout", is_flag=True, help="Switch off the model's dropout.")
@click.option(
    "--eval-fraction", default=0.05, show_default=True, help="Share of prompts held out to evaluate on."
)
@click.option("--held-out", type=PATH, help="Pairs to evaluate on instead; they share no prompt with PREFS.")
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint of a training that was stopped.")
@click.option("--responses", type=PATH, help="Responses to audit before and after, for the model card.")
@ratings_options
@click.option("--reference", "references", multiple=True, metavar="POLICY", help="Audit against this policy.")
@seed_option
@trust_option
@force_option
@json_option
def command(
    prefs: Path,
    rm: str,
    output: Path,
    held_out: Path | None,
    resume: bool,
    responses: Path | None,
    ratings_spec: str | None,
    category: str | None,
    date: str | None,
    references: tuple[str, ...],
    alias: Path | None,
    unrated: str,
    trust_remote_code: bool,
    force: bool,
    as_json: bool,
    no_dropout: bool,
    **options: Any,
) -> None:
    """Fine-tune a reward model on preference pairs (Bradley-Terry loss).

    PREFS is what `charm relabel` writes, or a Parquet, JSONL or CSV file with prompt, chosen and rejected as text or as
    chat messages. Pairs of some prompts are held out, and accuracy on them is given before and after. The
    defaults are the paper's, for billions of parameters: a small model wants a larger --lr. With --responses and
    --ratings the model card also shows the mismatch with human ratings before and after.

    \b
    Examples:
      charm train prefs/preferences.parquet --rm org/some-rm -o model
      charm train prefs/preferences.parquet --rm org/some-rm -o model --lora --lr 1e-5
      charm train pairs.jsonl --rm ./backbone -o my-rm --new-head --lr 5e-5 --batch-size 16 --max-length 256
      charm train prefs/preferences.parquet --rm ./my-rm -o model --responses responses.parquet --ratings arena
    """
    if (responses is None) != (ratings_spec is None):
        raise click.UsageError("--responses and --ratings go together")
    if responses is not None and options["new_head"]:
        raise click.UsageError("a backbone without a head has no scores to audit: leave out --responses")
    from ..models.training.settings import TrainSettings
    from ..store import refuse_existing

    refuse_existing(output, force=force)
    settings = TrainSettings(dropout=not no_dropout, **options)
    audit = _auditor(
        responses,
        ratings_spec,
        {"category": category, "date": date},
        {"references": list(references) or None, "aliases": alias, "unrated": unrated, "seed": settings.seed},
        trust_remote_code=trust_remote_code,
    )
    preferences, evaluation = _load_pairs(prefs), None if held_out is None else _load_pairs(held_out)
    before = audit(rm) if audit else None
    from ..models.training.train import train_reward_model

    result = train_reward_model(
        preferences,
        rm,
        output,
        settings=settings,
        held_out=evaluation,
        force=force,
        resume=resume,
        trust_remote_code=trust_remote_code,
    )
    after = audit(output) if audit else None
    if before and after:
        _write_mismatch(output, before, after, responses=responses, ratings=ratings_spec)
    if as_json:
        print_json(result.to_json() | _audits_json(before, after))
    else:
        _print_result(result)


def _load_pairs(path: Path) -> Any:
    from ..preferences import load_preferences

    pairs = load_preferences(path)
    dropped = ", ".join(f"{n} {why}" for why, n in pairs.provenance["dropped"].items())
    say(f"{path.name}: {len(pairs)} pairs" + (f" (dropped: {dropped})" if dropped else ""))
    return pairs


def _auditor(
    responses: Path | None,
    ratings_spec: str | None,
    which: dict[str, str | None],
    settings: dict[str, Any],
    *,
    trust_remote_code: bool,
) -> Any:
    """A function from model to audit; its inputs are read, and refused, before anything is trained."""
    if responses is None or ratings_spec is None:
        return None
    from ..mismatch import audit
    from ..models import load_reward_model, score_responses
    from ..models.datasets_io import load_any_responses
    from ..ratings import load_ratings, match_ratings

    table = load_any_responses(responses)
    ratings = load_ratings(ratings_spec, **which)
    names = {"aliases": settings["aliases"], "unrated": settings["unrated"]}
    match_ratings(ratings, table.frame["policy"].unique().to_list(), **names)

    def run(model: str | Path) -> Audit:
        loaded = load_reward_model(model, trust_remote_code=trust_remote_code)
        return audit(score_responses(loaded, table), ratings, **settings)

    return run


def _write_mismatch(
    output: Path, before: Audit, after: Audit, *, responses: Path | None, ratings: str | None
) -> None:
    from ..models.training.card import write_mismatch_section

    policies = len(set(before.mismatch.frame["policy"]) | set(before.mismatch.frame["reference"]))
    source = Path(ratings or "").name
    note = f"Audited: {policies} policies of {Path(responses or '').name} against the ratings {source}."
    write_mismatch_section(output, before.mismatch, after.mismatch, note=note)


def _audits_json(before: Audit | None, after: Audit | None) -> dict[str, Any]:
    if before is None or after is None:
        return {}
    return {"mismatch_before": before.to_json()["mismatch"], "mismatch_after": after.to_json()["mismatch"]}


def _print_result(result: TrainResult) -> None:
    import polars as pl

    if result.before and result.after:
        rows = {"before": result.before, "after": result.after}
        frame = pl.DataFrame(
            [
                {
                    "training": name,
                    "accuracy": h.accuracy,
                    "ci_low": h.ci_low,
                    "ci_high": h.ci_high,
                    "loss": h.loss,
                }
                for name, h in rows.items()
            ]
        )
        title = f"Held-out accuracy ({result.after.n} pairs, {result.after.n_prompts} prompts)"
        print_frame(frame, title=title)
    say(f"{result.steps} steps on {result.pairs['train']} pairs, mean training loss {result.train_loss:.4f}")
    say(f"wrote {result.output} (model, tokenizer, README.md, training.json)")
