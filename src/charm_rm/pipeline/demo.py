"""The demo: the testbed's simulated inputs, and a configuration that runs the whole pipeline on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from .. import store
from ..errors import OutputExists
from ..testbed import biased_preferences, simulate_arena, true_preferences
from .config import Config
from .load import load_config

CONFIG_FILE, _STYLE_FILE = "charm.yaml", "style.yaml"
STYLE_FOLDER = "style"  # of the demo's folder: the run that calibrates by style
_HEADER = """\
# The configuration of `charm demo`: everything here is SIMULATED (see docs/testbed.md).
# Change a value, then:   charm run {file} -o .   (`charm demo` itself writes this file anew)
"""
_STYLE_HEADER = """\
# The same scores, calibrated by style in place of an offset: SIMULATED, as all of `charm demo`.
# Change a value, then:   charm run {file} -o style
"""
_N_PROMPTS, _N_VOTES, _N_PAIRS, _N_TRUE = 150, 20_000, 320, 180
_MAX_LENGTH = 96
_TRAINING: dict[str, Any] = {
    "batch_size": 16,
    "device_batch_size": 16,
    "max_length": _MAX_LENGTH,
    "dropout": False,
    "warmup_ratio": 0.1,
    "eval_fraction": 0.0,
    "save_every": 0,
}


def _write_demo(directory: str | Path, *, seed: int = 0) -> Path:
    """Write the inputs (`inputs/`) and the configuration of the demo into a directory; return the configuration's path.

    The same seed writes the same files, so that a finished demo stays up to date.

    Raises:
        OutputExists: the directory holds something that is not a demo.
    """
    directory = Path(directory)
    refuse_other_work(directory, first_line=_HEADER.splitlines()[0])
    inputs = directory / "inputs"
    arena = simulate_arena(seed=seed, n_prompts=_N_PROMPTS, n_votes=_N_VOTES)
    store.save(arena.responses, inputs / "responses.parquet", force=True)
    store.save(arena.battles, inputs / "battles.parquet", force=True)
    store.save(arena.true_ratings, inputs / "true_ratings.parquet", force=True)
    store.write_frame(arena.quality, inputs / "quality.parquet", force=True)
    biased = biased_preferences(seed=seed, n_pairs=_N_PAIRS)
    store.save(biased, inputs / "biased_preferences.parquet", force=True)
    true = true_preferences(seed=seed, n_pairs=_N_TRUE)
    store.save(true, inputs / "true_preferences.parquet", force=True)
    path = directory / CONFIG_FILE
    text = _HEADER.format(file=CONFIG_FILE) + yaml.safe_dump(_demo_settings(seed), sort_keys=False)
    store.write_text(text, path, force=True)
    text = _STYLE_HEADER.format(file=_STYLE_FILE) + yaml.safe_dump(_style_settings(seed), sort_keys=False)
    store.write_text(text, directory / _STYLE_FILE, force=True)
    return path


def _demo_settings(seed: int) -> dict[str, Any]:
    """The demo's configuration as plain values: what `charm.yaml` holds."""
    return {
        "name": "charm-demo",
        "seed": seed,
        "simulated": True,
        "truth": "inputs/true_ratings.parquet",
        "responses": {"source": "inputs/responses.parquet", "test_fraction": 0.4},
        "ratings": {"battles": "inputs/battles.parquet"},
        "rm": first_rm(),
        # Two stylish policies are favoured about alike on so few prompts: `auto` would be a throw of the dice between them.
        "calibrate": {"over": "velvet", "references": "auto", "link": "hard"},
        "relabel": {"strategy": "pair"},
        "train": {"learning_rate": 5e-5, "epochs": 3, **_TRAINING},
        "evaluate": {"pairs": "inputs/true_preferences.parquet"},
    }


def first_rm() -> dict[str, Any]:
    """The section `rm`: MiniLM, trained on the choices of simulated annotators who fall for style."""
    training = {"preferences": "inputs/biased_preferences.parquet", "learning_rate": 1e-4, "epochs": 2}
    return {"train_from": {"base": "minilm", **training, **_TRAINING}, "max_length": _MAX_LENGTH}


def _style_settings(seed: int) -> dict[str, Any]:
    """The run that calibrates the first model's scores by style, and compares that with offsets on policies never used."""
    shared = {
        key: value
        for key, value in _demo_settings(seed).items()
        if key in ("seed", "simulated", "truth", "responses", "ratings")
    }
    return {
        "name": "charm-demo-style",
        **shared,
        "score": {"scores": "before/scores.parquet"},
        # What the testbed's annotators fall for, and length; its Markdown has as many bullets as bold spans.
        "calibrate": {"method": "style", "features": ["words", "bold", "exclamations", "flattery"]},
        "relabel": {"strategy": "sampled"},
        "train": None,
    }


def load_style_demo(directory: str | Path) -> Config:
    """The configuration of the demo's second run, which :func:`load_demo` wrote: it goes into :data:`STYLE_FOLDER`."""
    return load_config(Path(directory) / _STYLE_FILE)


def load_demo(directory: str | Path, *, seed: int = 0) -> Config:
    """Write the demo's inputs and read its configuration back, as a person's own would be."""
    return load_config(_write_demo(directory, seed=seed))


def refuse_other_work(directory: Path, *, first_line: str) -> None:
    """Refuse a folder that holds something, unless its configuration begins with the line of this demo.

    Raises:
        OutputExists: it holds something else.
    """
    config = directory / CONFIG_FILE
    if not directory.exists() or (directory.is_dir() and not any(directory.iterdir())):
        return
    if config.is_file() and config.read_text(encoding="utf-8").startswith(first_line):
        return
    raise OutputExists(
        "this is there already, and is not this demo",
        where=str(directory),
        fix="choose another place with -o",
    )
