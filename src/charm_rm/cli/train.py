"""``charm train``: preference pairs and a reward model -> a fine-tuned reward model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import counted
from ..settings import AuditSettings, RatingsChoice, TrainSettings
from .common import conclude, echo, heading, print_frame, print_json, say
from .help import CharmCommand
from .options import (
    PATH,
    force_option,
    given_paths,
    json_option,
    option_of,
    output_option,
    ratings_options,
    rm_option,
    settings_options,
    trust_option,
)
from .prompts import PromptChoice, prompt_options

_ARGUMENTS = "charm.arguments"

if TYPE_CHECKING:
    from ..mismatch import Audit
    from ..models.training.settings import TrainResult


class _Launchable(CharmCommand):
    """A command that remembers its arguments, to run them again in several processes."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does."""
        ctx.meta[_ARGUMENTS] = list(args)
        return super().parse_args(ctx, args)


@click.command("train", cls=_Launchable)
@click.argument("prefs", type=PATH)
@rm_option
@output_option(what="Folder for the trained model (required unless --dry-run).")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Do not train: print the first pairs exactly as the model reads them, and what is dropped or shortened.",
)
@settings_options(TrainSettings, "settings")
@click.option("--held-out", type=PATH, help="Pairs to evaluate on instead; they share no prompt with PREFS.")
@click.option(
    "--resume", is_flag=True, help="Continue from the last checkpoint of a training that was stopped."
)
@click.option(
    "--launch",
    metavar="CONFIG",
    help="Train in several processes, by `accelerate launch`: fsdp or zero3 (all GPUs here), cpu2 (two processes of the CPU), or a "
    "file that `accelerate config` wrote.",
)
@click.option(
    "--anchor",
    type=PATH,
    help="Responses of rated policies; --anchor-weight keeps win rates between them at --ratings.",
)
@prompt_options
@click.option("--responses", type=PATH, help="Responses to audit before and after, for the model card.")
@ratings_options
@option_of(AuditSettings, "references")
@trust_option
@force_option
@json_option
def command(
    prefs: Path,
    rm: str,
    output: Path | None,
    dry_run: bool,
    held_out: Path | None,
    resume: bool,
    launch: str | None,
    anchor: Path | None,
    prompts: PromptChoice,
    responses: Path | None,
    ratings: RatingsChoice,
    references: tuple[str, ...] | None,
    settings: TrainSettings,
    trust_remote_code: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Fine-tune a reward model on preference pairs (Bradley-Terry loss).

    PREFS is what `charm relabel` writes, or a Parquet, JSONL or CSV file with prompt, chosen and rejected as text or as
    chat messages. Some prompts are held out, and the accuracy on them is given before and after. The defaults are the paper's,
    for billions of parameters: a small model needs a larger --lr. With --responses and --ratings the model card also shows the
    mismatch with human ratings before and after.

    --anchor adds a loss on the mean win rates between the rated policies of its table, which keeps them at --ratings. --prompts
    and --split choose prompts of --anchor; --responses are then audited on the other side of --split. Prompts of held-out pairs
    are left out of the anchor.

    --launch trains one model in several processes. A step has the same pairs as with one, so --batch-size stays what it is, and
    a checkpoint of one process goes on in several. All read the same files: on several machines, from a shared disk. Not with
    --anchor or --responses. `accelerate launch -m charm_rm.models.train ...` takes the same arguments.

    \b
    Examples:
      charm train prefs/preferences.parquet --rm org/some-rm --dry-run
      charm train prefs/preferences.parquet --rm org/some-rm -o model
      charm train prefs/preferences.parquet --rm org/some-rm -o model --lora \\
          --lr 1e-5
      charm train pairs.jsonl --rm ./backbone -o my-rm --new-head --lr 5e-5 \\
          --batch-size 16 --max-length 256
      charm train prefs/preferences.parquet --rm ./my-rm -o model \\
          --responses responses.parquet --ratings arena
      charm train prefs/preferences.parquet --rm org/some-rm -o model \\
          --launch fsdp
      charm train pairs.parquet --rm ./my-rm -o model --anchor responses.parquet \\
          --split train --ratings arena --anchor-weight 30
    """
    _check_usage(anchor, responses, ratings, settings, prompts)
    _check_processes(launch, anchor, responses, dry_run=dry_run)
    if dry_run:
        _preview(_load_pairs(prefs), rm, settings, trust_remote_code=trust_remote_code, as_json=as_json)
        if anchor is not None:
            _preview_anchor(anchor, ratings, prompts)
        return
    if output is None:
        raise click.UsageError("Missing option '-o' / '--output'.")
    from ..folders import refuse_folder
    from ..pipeline.stages.train import CardAudit, open_anchor, train

    refuse_folder(output, force=force, inputs=given_paths())
    if launch is not None:
        from .launching import launch as launched

        raise click.exceptions.Exit(launched(launch, _arguments_without("--launch")))
    audit = None
    if responses is not None:
        audit = CardAudit.prepare(
            responses,
            ratings,
            references=references,
            seed=settings.seed,
            trust_remote_code=trust_remote_code,
            choose=prompts.other().of,
        )
    result, before, after = train(
        _load_pairs(prefs),
        rm,
        output,
        settings,
        held_out=None if held_out is None else _load_pairs(held_out),
        anchor=None if anchor is None else open_anchor(anchor, ratings, choose=prompts.of),
        audit=audit,
        force=force,
        resume=resume,
        trust_remote_code=trust_remote_code,
    )
    if as_json:
        print_json(result.to_json() | _audits_json(before, after))
    else:
        _print_result(result)


def _check_usage(
    anchor: Path | None,
    responses: Path | None,
    ratings: RatingsChoice,
    settings: TrainSettings,
    prompts: PromptChoice,
) -> None:
    if (anchor is None and responses is None) != (ratings.source is None):
        raise click.UsageError("--responses or --anchor, and --ratings, go together")
    if (anchor is None) != (settings.anchor_weight == 0):
        raise click.UsageError("--anchor and --anchor-weight go together")
    if anchor is None and prompts != PromptChoice():
        raise click.UsageError("--prompts and --split choose prompts of --anchor")
    if responses is not None and settings.new_head:
        raise click.UsageError("a backbone without a head has no scores to audit: leave out --responses")


def _check_processes(
    launch: str | None, anchor: Path | None, responses: Path | None, *, dry_run: bool
) -> None:
    """Refuse what several processes cannot do, before they are started, and in each that was started otherwise."""
    if launch is not None and dry_run:
        raise click.UsageError("--dry-run reads pairs and needs no processes: leave out --launch")
    if launch is None and int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return
    if anchor is not None:
        raise click.UsageError("an anchored training takes one process: leave out --launch, or --anchor")
    if responses is not None:
        raise click.UsageError(
            "several processes train, and do not score: audit before and after with charm score and charm audit"
        )


def _arguments_without(option: str) -> list[str]:
    """What the command was given, without an option that takes a value."""
    given = list(click.get_current_context().meta[_ARGUMENTS])
    kept: list[str] = []
    while given:
        one = given.pop(0)
        if one == option:
            given.pop(0)
        elif not one.startswith(f"{option}="):
            kept.append(one)
    return kept


def _preview(pairs: Any, rm: str, settings: TrainSettings, *, trust_remote_code: bool, as_json: bool) -> None:
    from ..models.training.preview import preview_training

    preview = preview_training(pairs, rm, settings=settings, trust_remote_code=trust_remote_code)
    if as_json:
        print_json(preview.to_json() | {"file": dict(pairs.provenance)})
        return
    for pair in preview.first:
        for name, side in (("chosen", pair.chosen), ("rejected", pair.rejected)):
            cut = ", shortened" if side.truncated else ""
            heading(
                f"Row {pair.row}, {name} ({side.tokens} tokens{cut}{', the same as chosen' if pair.same else ''})"
            )
            echo(side.text, wrap=False)
    counts = preview.counts
    say(
        f"{counts['read']} of {counts['pairs']} pairs would be read (layout {preview.layout}, at most {preview.max_length} "
        f"tokens): {counts['truncated']} shortened, {counts['dropped']} dropped because both sides look the same to the model"
    )


def _preview_anchor(anchor: Path, ratings: RatingsChoice, prompts: PromptChoice) -> None:
    """Say what an anchored training would hold to."""
    from ..pipeline.stages.train import open_anchor

    found = open_anchor(anchor, ratings, choose=prompts.of)
    some = counted(len(found.responses), "response")
    say(
        f"anchor: {some} of {len(found.policies)} rated policies to {counted(len(found.prompt_ids), 'prompt')}"
    )


def _load_pairs(path: Path) -> Any:
    from ..preferences import load_preferences

    pairs = load_preferences(path)
    dropped = ", ".join(f"{n} {why}" for why, n in pairs.provenance["dropped"].items())
    say(f"{path.name}: {counted(len(pairs), 'pair')}" + (f" (dropped: {dropped})" if dropped else ""))
    return pairs


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
        title = f"Held-out accuracy ({counted(result.after.n, 'pair')}, {counted(result.after.n_prompts, 'prompt')})"
        conclude(f"{title}: {result.before.accuracy:.3f} before, {result.after.accuracy:.3f} after")
        print_frame(frame, title=title)
    say(
        f"{counted(result.steps, 'step')} on {counted(result.pairs['train'], 'pair')}, mean training loss {result.train_loss:.4f}"
    )
    if result.anchor:
        held = result.anchor
        say(
            f"anchored: {counted(held['policies'], 'policy', 'policies')} x {counted(held['prompts'], 'prompt')}, at temperature {held['temperature']:.4g}; squared "
            f"distance from the ratings {held['first_loss']:.4f} at first, {held['last_loss']:.4f} at last"
        )
    say(f"wrote {result.output} (model, tokenizer, README.md, training.json)")
