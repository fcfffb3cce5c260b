"""``charm apply``: add offsets to scores or judgements."""

from __future__ import annotations

from pathlib import Path

import click

from .common import load_comparable, say
from .options import PATH, force_option, judgement_options, output_option


@click.command("apply")
@click.argument("scores", type=PATH)
@click.argument("offsets", type=PATH)
@judgement_options
@output_option(required=True, what="Where to write the calibrated scores or margins.")
@force_option
def command(
    scores: Path,
    offsets: Path,
    annotator: str | None,
    baseline: str | None,
    output: Path,
    force: bool,
) -> None:
    """Write calibrated scores: each score plus the offset of its policy; or calibrated judgements.

    SCORES is a table of scores (prompt_id, policy, score) or of judgements in any form that `charm audit` reads;
    OFFSETS is what `charm calibrate` wrote for it. A judgement's margin becomes margin + offset of policy - offset of
    reference, and is written as prompt_id, policy, reference, margin. Policies without an offset stay and are named.

    \b
    Examples:
      charm apply scores.parquet offsets.parquet -o calibrated.parquet
      charm apply scores.parquet offsets.parquet -o calibrated.csv && charm audit calibrated.csv --ratings arena
      charm apply annotations.json offsets.parquet -o calibrated.parquet
    """
    from .. import store
    from ..offsets import apply_offsets
    from ..tables import Offsets

    store.refuse_table(output, force=force)
    source = load_comparable(scores, annotator=annotator, baseline=baseline)
    calibrated = apply_offsets(source, store.load(Offsets, offsets))
    store.save(calibrated, output, force=force)
    say(f"wrote {output}: {len(calibrated)} {calibrated.noun} of {len(calibrated.policies)} policies")
