"""``charm apply``: add offsets to scores or judgements."""

from __future__ import annotations

from pathlib import Path

import click

from .common import load_comparable, say
from .options import PATH, force_option, given_paths, judgement_options, output_option
from .prompts import PromptChoice, prompt_options


@click.command("apply")
@click.argument("scores", type=PATH)
@click.argument("offsets", type=PATH)
@judgement_options
@prompt_options
@output_option(required=True, what="Where to write the calibrated scores or margins.")
@force_option
def command(
    scores: Path,
    offsets: Path,
    annotator: str | None,
    baseline: str | None,
    prompts: PromptChoice,
    output: Path,
    force: bool,
) -> None:
    """Write calibrated scores: each score plus the offset of its policy; or calibrated judgements.

    SCORES is a table of scores (prompt_id, policy, score) or of judgements in any form that `charm audit` reads;
    OFFSETS is what `charm calibrate` wrote for it. A judgement's margin becomes margin + offset of policy - offset of
    reference, and is written as prompt_id, policy, reference, margin. Policies without an offset stay and are named.
    The Parquet file keeps which offsets are in it and what they were solved on, so that they are not added twice and an audit can say
    in-sample; CSV and JSON files lose that.

    \b
    Examples:
      charm apply scores.parquet offsets.parquet -o calibrated.parquet
      charm apply scores.parquet offsets.parquet --split test -o test.parquet && charm audit test.parquet --ratings arena
      charm apply annotations.json offsets.parquet -o calibrated.parquet
    """
    from .. import store
    from ..offsets import apply_offsets
    from ..tables import Offsets

    store.refuse_table(output, force=force, inputs=given_paths())
    source = prompts.of(load_comparable(scores, annotator=annotator, baseline=baseline))
    calibrated = apply_offsets(source, store.load(Offsets, offsets))
    store.save(calibrated, output, force=force)
    if output.suffix != ".parquet":
        say(
            f"note: a {output.suffix} file does not keep that these {calibrated.noun} are calibrated, and on which prompts; .parquet does"
        )
    say(f"wrote {output}: {len(calibrated)} {calibrated.noun} of {len(calibrated.policies)} policies")
