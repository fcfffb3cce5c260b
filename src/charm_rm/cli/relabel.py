"""``charm relabel``: calibrated scores -> preference pairs for training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import counted
from ..settings import RelabelSettings, TableSettings
from .common import conclude, load_comparable, print_frame, print_json, say
from .help import CharmCommand
from .options import (
    PATH,
    force_option,
    given_paths,
    json_option,
    judgement_options,
    output_option,
    seed_option,
    settings_options,
    table_options,
    top_option,
)
from .prompts import PromptChoice, prompt_options

if TYPE_CHECKING:
    from ..relabel import Relabelled
    from ..style import Calibrator
    from ..tables import Offsets


@click.command("relabel", cls=CharmCommand)
@click.argument("scores", type=PATH)
@click.argument("responses", type=PATH)
@click.argument("calibration", type=PATH, required=False)
@click.option(
    "--calibrator",
    type=PATH,
    help="A style calibrator (JSON), in place of the argument CALIBRATION.",
)
@click.option(
    "--own",
    multiple=True,
    metavar="FEATURE",
    help="A function (python:MODULE:FUNCTION) that the calibrator may call; repeatable.",
)
@judgement_options
@table_options("scores", "responses")
@settings_options(RelabelSettings, "settings")
@click.option("--policy", "policies", multiple=True, metavar="POLICY", help="Use this policy; repeatable.")
@prompt_options
@seed_option
@top_option(20)
@output_option(required=True, what="Folder for the preferences.")
@force_option
@json_option
def command(
    scores: Path,
    responses: Path,
    calibration: Path | None,
    calibrator: Path | None,
    own: tuple[str, ...],
    annotator: str | None,
    baseline: str | None,
    read_as: TableSettings,
    settings: RelabelSettings,
    policies: tuple[str, ...],
    prompts: PromptChoice,
    seed: int,
    top: int,
    output: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Label pairs of responses by calibrated score, for reward-model training.

    SCORES are the scores before calibration, or judgements in any form that `charm audit` reads (then --strategy pair or
    all-pairs: the pairs that were judged). RESPONSES are the texts (prompt_id, prompt, policy, response). CALIBRATION is what
    `charm calibrate` wrote: offsets, or a style calibrator.

    The folder gets preferences.parquet and preferences.jsonl (TRL's conversational format with soft labels and margins),
    ledger.parquet (labels kept, flipped, tied, dropped, per pair of policies), and a card, so that datasets.load_dataset
    opens it without options.

    A calibrator has no reference policy: give --strategy all-pairs, sampled or best-vs-worst. Scores that are corrected already
    (`charm apply`) may be given; the correction is not added again. Unless --temperature is given, a calibrator's temperature
    makes p_chosen the probability that people prefer the chosen response.

    \b
    Examples:
      charm relabel scores.parquet responses.parquet offsets.parquet -o prefs
      charm relabel scores.parquet responses.jsonl offsets.parquet \\
          --strategy sampled -k 8 -o prefs
      charm relabel scores.parquet responses.parquet offsets.parquet \\
          --prompts train.csv -o prefs
      charm relabel scores.parquet responses.parquet \\
          --calibrator calibrator.json --strategy sampled -o prefs
    """
    from ..folders import refuse_folder
    from ..pipeline.stages.relabel import relabel
    from ..responses import load_responses

    if (calibration is None) == (calibrator is None):
        raise click.UsageError("give either CALIBRATION or --calibrator: what charm calibrate wrote")
    file = calibration or calibrator or Path()
    refuse_folder(output, force=force, inputs=given_paths())
    relabelled = relabel(
        prompts.of(load_comparable(scores, annotator=annotator, baseline=baseline, table=read_as)),
        load_responses(responses, columns=read_as.named("responses")),
        _load(file, must_be_calibrator=calibrator is not None),
        settings,
        output,
        seed=seed,
        policies=policies or None,
        own=own,
        force=force,
    )
    if as_json:
        print_json({"pairs": len(relabelled.preferences), "ledger": relabelled.ledger.to_dicts()})
    else:
        print_ledger(relabelled, top=top)
    from ..relabel import what_p_chosen_is

    say(f"p_chosen: {what_p_chosen_is(relabelled.preferences)}")
    say(f"wrote {output}: {len(relabelled.preferences)} preference pairs")


def _load(file: Path, *, must_be_calibrator: bool) -> Offsets | Calibrator:
    from .. import store
    from ..style import is_calibrator, load_calibrator
    from ..tables import Offsets

    if must_be_calibrator or is_calibrator(file):
        return load_calibrator(file)
    return store.load(Offsets, file)


def print_ledger(relabelled: Relabelled, *, top: int) -> None:
    """Print what became of the labels, pair of policies by pair."""
    import polars as pl

    ledger = relabelled.ledger
    conclude(f"{counted(len(relabelled.preferences), 'pair')}, {ledger['flipped'].sum()} labels flipped")
    shares = ledger.with_columns((pl.col("flipped") / pl.col("pairs")).alias("share flipped"))
    print_frame(shares.sort("flipped", descending=True), title="What became of the labels", limit=top)
    if ledger.height > 1:
        total = ledger.select(pl.exclude("policy", "reference").sum())
        print_frame(total, title="All pairs of policies", main=False)
