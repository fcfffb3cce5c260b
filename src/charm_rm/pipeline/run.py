"""The run directory as its stages see it: the configuration, and tables by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from .. import store
from ..errors import ConfigError
from ..style import Calibrator, load_calibrator
from ..tables import TEXT, Margins, Offsets, Ratings, Scores, Table
from .config import CALIBRATOR, FIRST_RM, OFFSETS, Config

N = TypeVar("N", bound=Table)
C = TypeVar("C", Scores, Margins)
SCORES, MARGINS = "before/scores.parquet", "before/margins.parquet"
SCORES_AFTER = "after/scores.parquet"


@dataclass(frozen=True)
class Run:
    """What a stage is given: the configuration, the run directory, and whether to draw progress bars."""

    config: Config
    directory: Path
    progress: bool = True

    def load(self, noun: type[N], name: str) -> N:
        """Read a noun of the run directory."""
        return store.load(noun, self.directory / name)

    def save(self, table: Table, name: str) -> None:
        """Write a noun into the run directory; what an older run left there makes way."""
        store.save(table, self.directory / name, force=True)

    def prompts(self, side: str) -> pl.Series:
        """Prompt ids of the ``train`` or the ``test`` side."""
        frame = store.read_columns(
            self.directory / "prompts.parquet", {"prompt_id": TEXT, "split": TEXT}, noun="prompts"
        )
        return frame.filter(pl.col("split") == side)["prompt_id"]

    def before(self, side: str) -> Scores | Margins:
        """The first model's scores, or the judge's margins, of the prompts of one side."""
        if self.config.judges:
            return self._on_side(self.load(Margins, MARGINS), side)
        return self.scores(SCORES, side)

    def scores(self, name: str, side: str) -> Scores:
        """Scores of the prompts of one side."""
        return self._on_side(self.load(Scores, name), side)

    def _on_side(self, source: C, side: str) -> C:
        kept = source.frame.filter(pl.col("prompt_id").is_in(self.prompts(side).to_list()))
        return type(source)(kept, {**source.provenance, "side": side})

    def calibration(self) -> Offsets | Calibrator:
        """What the stage calibrate solved."""
        if calibration_file(self.config) == CALIBRATOR:
            return load_calibrator(self.directory / CALIBRATOR)
        return self.load(Offsets, OFFSETS)

    def ratings(self) -> Ratings:
        """The ratings, under the names that they have there."""
        return self.load(Ratings, "ratings.parquet")

    @property
    def names(self) -> dict[str, Any]:
        """How policies find their ratings, as the verbs take it; candidates have none, and the audit sees to it that no other policy lacks one."""
        unrated = "skip" if self.config.audit.candidates else self.config.ratings.unrated
        return {"aliases": self.config.ratings.aliases, "unrated": unrated}

    @property
    def first_model(self) -> str:
        """Folder or id of the reward model before fine-tuning."""
        model = self.config.first_model
        if model is None:
            raise ConfigError("no reward model: scores come from a file", fix="give the section rm")
        return str(self.directory / FIRST_RM) if model == FIRST_RM else model

    def aside(self, name: str) -> Path:
        """Where unfinished work on ``name`` is kept, to be continued after a kill."""
        return self.directory / f".{name.replace('/', '-')}.partial"


def calibration_file(config: Config) -> str:
    """The file of the run directory that the calibration is written to."""
    by_style = config.calibrate is not None and config.calibrate.method == "style"
    return CALIBRATOR if by_style else OFFSETS


def calibrated_policies(calibration: Offsets | Calibrator) -> list[str]:
    """The policies that had a part in a calibration."""
    if isinstance(calibration, Offsets):
        return calibration.frame["policy"].to_list()
    return list((calibration.solved_on or {}).get("policies", []))
