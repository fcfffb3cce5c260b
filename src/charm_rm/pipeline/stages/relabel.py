"""Relabel: scores or judgements, responses and a calibration -> preferences and the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ConfigError, counted
from ...relabel import Relabelled, relabel_preferences, save_relabelled
from ...settings import RelabelSettings
from ...style import Calibrator
from ...tables import Margins, Offsets, Responses, Scores

if TYPE_CHECKING:
    from ..run import Run


def relabel(
    source: Scores | Margins,
    responses: Responses,
    calibration: Offsets | Calibrator,
    settings: RelabelSettings,
    folder: Path,
    *,
    seed: int,
    policies: Sequence[str] | None = None,
    prompts: Sequence[str] | None = None,
    own: Sequence[str] = (),
    force: bool = False,
) -> Relabelled:
    """Label pairs of responses by calibrated score or margin, and save them."""
    done = relabel_preferences(
        source,
        responses,
        calibration,
        strategy=settings.strategy,
        k=settings.pairs_per_prompt,
        temperature=settings.temperature,
        seed=seed,
        policies=policies,
        prompts=prompts,
        own=own,
    )
    save_relabelled(done, folder, force=force)
    return done


def run_stage(run: Run) -> str:
    """Make preferences of the train prompts."""
    section = run.config.relabel
    if section is None:
        raise ConfigError("the section relabel is off", fix="give the section in the configuration")
    from ..run import calibrated_policies

    calibration = run.calibration()
    done = relabel(
        run.before("train"),
        run.load(Responses, "responses.parquet"),
        calibration,
        section,
        run.directory / "prefs",
        seed=run.config.seed,
        policies=calibrated_policies(calibration),  # the others stay unseen in training too
        own=run.config.calibrate.own if run.config.calibrate else (),
        force=True,
    )
    return f"{counted(len(done.preferences), 'pair')}, {counted(int(done.ledger['flipped'].sum()), 'label')} flipped"
