"""``charm apply``: add offsets to scores."""

from __future__ import annotations

from pathlib import Path

import click

from .common import PATH, force_option, output_option, say


@click.command("apply")
@click.argument("scores", type=PATH)
@click.argument("offsets", type=PATH)
@output_option(required=True, what="Where to write the calibrated scores.")
@force_option
def command(scores: Path, offsets: Path, output: Path, force: bool) -> None:
    """Write calibrated scores: each score plus the offset of its policy.

    SCORES is a table prompt_id, policy, score; OFFSETS is what `charm calibrate` wrote. Policies without an
    offset keep their scores and are named.

    \b
    Examples:
      charm apply scores.parquet offsets.parquet -o calibrated.parquet
      charm apply scores.parquet offsets.parquet -o calibrated.csv && charm audit calibrated.csv --ratings arena
    """
    from .. import store
    from ..offsets import apply_offsets
    from ..tables import Offsets, Scores

    store.refuse_table(output, force=force)
    calibrated = apply_offsets(store.load(Scores, scores), store.load(Offsets, offsets))
    store.save(calibrated, output, force=force)
    say(f"wrote {output}: {len(calibrated)} scores of {len(calibrated.policies)} policies")
