"""Writing relabelled preferences as a folder that ``datasets.load_dataset`` opens without options."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from .. import store
from ..folders import replacing_directory
from ..tables import Preferences
from .preferences import Relabelled

PARQUET, JSONL, LEDGER, CARD = "preferences.parquet", "preferences.jsonl", "ledger.parquet", "README.md"

# The card tells `load_dataset(folder)` which of the files are the data; without it the ledger would be read too.
_CARD = """---
configs:
- config_name: default
  data_files:
  - split: train
    path: {parquet}
---

# Calibrated preferences

{pairs} preference pairs, {flipped} of which calibration turned, labelled by scores or judgements plus {added}
(strategy `{strategy}`).

- `{parquet}`, `{jsonl}`: the pairs, twice the same. TRL's conversational format (`prompt`, `chosen`, `rejected`) with
  `prompt_id`, `chosen_policy`, `rejected_policy`, `margin` (calibrated), `p_chosen` ({soft}) and `flipped`.
- `{ledger}`: per pair of policies, how many labels were kept, flipped, tied or dropped.
"""


def save_relabelled(relabelled: Relabelled, folder: str | Path, *, force: bool = False) -> Path:
    """Write the folder, whole or not at all: pairs as Parquet and JSONL, the ledger, and a dataset card.

    Raises:
        OutputExists: the folder holds something and ``force`` is off.
        WriteFailed: the file system refused.
    """
    preferences = relabelled.preferences
    with replacing_directory(folder, force=force) as temporary:
        store.save(preferences, temporary / PARQUET)
        store.write_frame(preferences.frame, temporary / JSONL)
        store.write_frame(relabelled.ledger, temporary / LEDGER)
        store.write_text(_card(preferences), temporary / CARD)
    return Path(folder)


def _card(preferences: Preferences) -> str:
    about = preferences.provenance
    return _CARD.format(
        parquet=PARQUET,
        jsonl=JSONL,
        ledger=LEDGER,
        pairs=len(preferences),
        flipped=preferences.frame.select(pl.col("flipped").sum()).item(),
        strategy=about.get("strategy", "unknown"),
        added="what their style calls for" if "calibrator" in about else "one offset per policy",
        soft=what_p_chosen_is(preferences),
    )


def what_p_chosen_is(preferences: Preferences) -> str:
    """The soft label in words: whose probability it is, and at which temperature."""
    about = preferences.provenance
    if about.get("temperature_from") == "calibrator":
        return f"the probability that people prefer the chosen response, at the calibrator's T = {about['temperature']:.3g}"
    return f"soft label, sigmoid(margin / {about.get('temperature', 1.0):g})"
