"""``charm apply``: add offsets, or a style calibrator's correction, to scores or judgements."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import CharmError, ConfigError, counted
from .common import load_comparable, say
from .help import CharmCommand
from .options import PATH, force_option, given_paths, judgement_options, output_option, table_options
from .prompts import PromptChoice, prompt_options

if TYPE_CHECKING:
    from ..settings import TableSettings
    from ..tables import Margins, Scores


@click.command("apply", cls=CharmCommand)
@click.argument("scores", type=PATH)
@click.argument("calibration", type=PATH)
@click.option(
    "--responses",
    type=PATH,
    help="For a calibrator: the responses that were scored, of policies with or without ratings.",
)
@click.option(
    "--own",
    multiple=True,
    metavar="FEATURE",
    help="A function (python:MODULE:FUNCTION) that the calibrator may call; repeatable.",
)
@click.option("--other-model", is_flag=True, help="Allow a calibrator for the scores of another model.")
@judgement_options
@table_options("scores", "responses")
@prompt_options
@output_option(required=True, what="Where to write the calibrated scores or margins.")
@force_option
def command(
    scores: Path,
    calibration: Path,
    responses: Path | None,
    own: tuple[str, ...],
    other_model: bool,
    annotator: str | None,
    baseline: str | None,
    read_as: TableSettings,
    prompts: PromptChoice,
    output: Path,
    force: bool,
) -> None:
    """Write calibrated scores: offsets added by policy, or style corrected by response. Judgements likewise.

    SCORES is a table of scores (prompt_id, policy, score) or of judgements in any form that `charm audit` reads. CALIBRATION is
    what `charm calibrate` wrote: offsets, or a calibrator (--style); the file says which.

    Offsets: a judgement's margin becomes margin + offset of policy - offset of reference, and is written as prompt_id, policy,
    reference, margin. Policies without an offset stay as they are, and are listed.
    A calibrator measures the style of every response, also of policies without ratings. It refuses scores of another model,
    responses that were not scored, and rows without a response.

    A Parquet file records the correction and the prompts it was solved on: it is not added twice, and an audit can say
    "in-sample". CSV and JSON files lose that.

    \b
    Examples:
      charm apply scores.parquet offsets.parquet -o calibrated.parquet
      charm apply scores.parquet offsets.parquet --split test -o test.parquet \\
          && charm audit test.parquet --ratings arena
      charm apply annotations.json offsets.parquet -o calibrated.parquet
      charm apply scores.parquet calibrator.json --responses responses.parquet \\
          -o calibrated.parquet
    """
    from .. import store
    from ..offsets import apply_offsets
    from ..style import is_calibrator
    from ..tables import Offsets

    store.refuse_table(output, force=force, inputs=given_paths())
    # What is neither a calibrator nor offsets is told before its options are.
    try:
        offsets = None if is_calibrator(calibration) else store.load(Offsets, calibration)
    except CharmError as error:
        raise (_swapped(scores, calibration) or error) from None
    if offsets is not None and (responses is not None or own or other_model):
        raise click.UsageError("--responses, --own and --other-model go with a calibrator; these are offsets")
    source = prompts.of(load_comparable(scores, annotator=annotator, baseline=baseline, table=read_as))
    if offsets is None:
        calibrated = _by_style(source, calibration, responses, own, read_as, other_model=other_model)
    else:
        calibrated = apply_offsets(source, offsets)
    store.save(calibrated, output, force=force)
    if output.suffix != ".parquet":
        say(
            f"note: a {output.suffix} file does not record that these {calibrated.noun} are calibrated, and on which prompts; a .parquet file does"
        )
    say(
        f"wrote {output}: {len(calibrated)} {calibrated.noun} of {counted(len(calibrated.policies), 'policy', 'policies')}"
    )


def _swapped(scores: Path, calibration: Path) -> ConfigError | None:
    """The error for SCORES that are a calibration, where CALIBRATION is none."""
    from .. import store
    from ..style import is_calibrator
    from ..tables import Offsets

    try:
        if not is_calibrator(scores):
            store.load(Offsets, scores)
    except CharmError:
        return None
    return ConfigError(
        f"the arguments look swapped: {scores} holds a calibration, and {calibration} none",
        fix=f"charm apply {calibration} {scores} -o ...",
    )


def _by_style(
    source: Scores | Margins,
    calibration: Path,
    responses: Path | None,
    own: tuple[str, ...],
    read_as: TableSettings,
    *,
    other_model: bool,
) -> Scores | Margins:
    from ..responses import load_responses
    from ..style import apply_calibrator, load_calibrator

    calibrator = load_calibrator(calibration)
    if not calibrator.features and not calibrator.offsets:
        say("note: this calibrator has no features, only the scale: scores stay as they are")
    if calibrator.features and responses is None:
        raise click.UsageError("a calibrator measures the responses that were scored: give --responses")
    texts = None if responses is None else load_responses(responses, columns=read_as.named("responses"))
    return apply_calibrator(source, calibrator, texts, own=own, other_model=other_model)
