"""Before and after in a few figures, from the files of a run; what did not improve is said as plainly as what did."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from .. import store
from ..mismatch.metrics import BETTER_NEEDS, WHAT_P_IS, WHAT_PLACEBO_IS
from ..style import load_calibrator
from ..tables import TEXT, Offsets
from .config import CALIBRATOR, Config
from .measures import Measure, measures
from .run import calibrated_policies, calibration_file

_SCHEMA = {
    "measure": pl.String,
    "n": pl.Int64,
    "before": pl.Float64,
    "after": pl.Float64,
    "placebo": pl.Float64,
    "better": pl.String,
    "change_95_ci": pl.String,
}


@dataclass(frozen=True)
class Summary:
    """``frame`` has measure, n (pairs, policies or items), before, after, ``placebo`` (the first model's scores
    with noise added, where training is judged), whether the figure got better, and the 95 %
    interval of the change where it was measured; where that holds 0, or p > 0.05 of the test that both score alike, better is ``unclear``.
    """

    title: str
    frame: pl.DataFrame
    remarks: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {"title": self.title, "measures": self.frame.to_dicts(), "remarks": list(self.remarks)}


def summarise(config: Config, directory: str | Path) -> Summary:
    """Collect what the run directory holds; measures whose files are missing are left out."""
    directory = Path(directory)
    over, used = _calibrated(directory, config)
    rows = measures(config, directory, over, used)
    frame = pl.DataFrame([row.cells for row in rows], schema=_SCHEMA, orient="row")
    remarks = _remarks(rows, over, used, config)
    if frame["after"].null_count() == frame.height:
        frame = frame.drop("after", "placebo", "better", "change_95_ci")
        return Summary("The audit in short, on the test prompts", frame, remarks)
    if frame["placebo"].null_count() == frame.height:
        frame = frame.drop("placebo")
    n = _test_prompts(directory)
    title = f"Before and after, on {'the one test prompt' if n == 1 else f'the {n} test prompts'} (training has seen none of them)"
    return Summary(title, frame, remarks)


def _calibrated(directory: Path, config: Config) -> tuple[str | None, set[str]]:
    """The policy calibrated (where it is one) and every policy that calibration used."""
    path = directory / calibration_file(config)
    if config.calibrate is None or not path.exists():
        return None, set()
    if path.name == CALIBRATOR:
        return None, set(calibrated_policies(load_calibrator(path)))
    offsets = store.load(Offsets, path)
    over = offsets.provenance.get("over") if config.calibrate.method == "pair" else None
    return (over if isinstance(over, str) else None), set(offsets.policies)


def _test_prompts(directory: Path) -> int:
    path = directory / "prompts.parquet"
    if not path.exists():
        return 0
    return store.read_columns(path, {"split": TEXT}, noun="prompts").filter(pl.col("split") == "test").height


def _remarks(rows: list[Measure], over: str | None, used: set[str], config: Config) -> tuple[str, ...]:
    remarks = []
    if config.simulated:
        remarks.append("All data are SIMULATED: this says how the method works, not how any real model does.")
    if config.votes_simulated:
        remarks.append("Votes are SIMULATED: ratings and favour say nothing of what people prefer.")
    if over is not None:
        others = ", ".join(sorted(used - {over}))
        remarks.append(f"Calibrated: {over} against {others}.")
    if any(row.placebo is not None for row in rows):
        remarks.append(f"{WHAT_P_IS}. {WHAT_PLACEBO_IS}")
    if any(row.p_value is not None for row in rows):
        remarks.append(f"{BETTER_NEEDS}.")
    worse = [row for row in rows if row.better == "no"]
    if any(row.unused for row in worse):
        remarks.append(
            "NOT everything carried over: on policies never used in calibration something got worse."
        )
    if worse:
        remarks.append(f"Got worse: {'; '.join(row.measure for row in worse)}.")
    return tuple(remarks)
