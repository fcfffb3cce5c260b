"""Audit: scores, judgements or published win rates and ratings -> mismatch and favour, and their files."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import CharmWarning, ConfigError, counted, listing
from ...folders import replacing_directory
from ...mismatch import Audit, FamilyContrasts, audit, save_audit, save_families
from ...mismatch.metrics import say_figures
from ...settings import AuditSettings, Unrated

if TYPE_CHECKING:
    from ...evaluate import AlignmentResult
    from ...streaming import ScoreStream
    from ...style import Calibrator
    from ...tables import Margins, Ratings, Responses, Scores, WinRates
    from ..run import Run

# Missing where the policies do not allow it.
FAVOUR, ALIGNMENT, CANDIDATES = "favouritism.parquet", "alignment.parquet", "candidates.parquet"


def audit_source(
    source: Scores | Margins | WinRates | ScoreStream,
    ratings: Ratings,
    settings: AuditSettings,
    *,
    seed: int,
    aliases: str | None = None,
    unrated: Unrated = "error",
) -> Audit:
    """Audit with a stage's settings."""
    return audit(source, ratings, seed=seed, aliases=aliases, unrated=unrated, **settings.values())


def with_style(
    found: Audit,
    source: Scores | Margins | WinRates,
    responses: Responses,
    ratings: Ratings,
    calibrator: Calibrator | str | Path,
    settings: AuditSettings,
    *,
    seed: int,
    aliases: str | None = None,
    unrated: Unrated = "error",
) -> Audit:
    """The audit with what favour the style of its candidates should bring them; as it is where it has placed none.

    Raises:
        ConfigError: published win rates, or a calibrator that calls functions of one's own.
    """
    from ...style import expect_favour
    from ...style.calibrator_file import as_calibrator
    from ...tables import WinRates

    if found.candidates is None:
        return found
    if isinstance(source, WinRates):
        raise ConfigError("published win rates have no responses", fix="leave out --calibrator")
    known = as_calibrator(calibrator)
    if calls := [name for name in known.names if name.startswith("python:")]:
        raise ConfigError(
            f"the calibrator calls {listing(calls)}, whose code would run here",
            fix="use charm_rm.expect_favour(..., own=[...]) in Python",
        )
    how: dict[str, Any] = {name: getattr(settings, name) for name in ("outcome", "temperature", "scope")}
    how |= {"seed": seed, "aliases": aliases, "unrated": unrated}
    if settings.draws == 0:
        how["draws"] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)  # the audit has just said what there is to say
        placed = expect_favour(source, responses, ratings, settings.candidates, known, **how)
    return replace(found, candidates=placed)


def save_with_report(
    found: Audit,
    folder: Path,
    *,
    force: bool = False,
    families: FamilyContrasts | None = None,
    title: str | None = None,
    variants: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write an audit, the favour of families where it was measured, and the page into a folder of its own, whole or not at all.

    ``title`` and ``variants`` (see :func:`variants_of`) are kept in audit.json, for the page.
    """
    from ...report import write_report

    with replacing_directory(folder, force=force) as temporary:
        about = {"title": title, "variants": list(variants)}
        save_audit(found, temporary, about={key: value for key, value in about.items() if value})
        if families is not None:
            save_families(families, temporary)
        write_report(temporary)


def variants_of(policy: str, audits: Mapping[str, Audit], *, role: str) -> list[dict[str, Any]]:
    """The favour shown to one policy in several audits, such as of win rates with and without control for length, by their names.

    ``role`` says in a few words what the policy is to the judge.
    """
    import polars as pl

    rows = []
    for name, found in audits.items():
        if found.favouritism is not None and found.sharpness is not None:
            row = found.favouritism.frame.row(by_predicate=pl.col("policy") == policy, named=True)
            rows.append({"name": name, "role": role, **row, "sharpness": asdict(found.sharpness)})
    return rows


# --- a run's part -------------------------------------------------------------------------------


def run_stage(run: Run) -> str:
    """Audit the first model's scores, or the judge's margins, of the test prompts."""
    return _audit(run, "before", run.before("test"))[1]


def run_after(run: Run) -> str:
    """Audit the fine-tuned model's scores of the test prompts, compare them with those before, tell the model card."""
    from ...models.training.card import write_mismatch_section
    from ...tables import Mismatch
    from ..config import MODEL
    from ..run import SCORES, SCORES_AFTER

    after = run.scores(SCORES_AFTER, "test")
    found, summary = _audit(run, "after", after)
    compared = _compare(run, run.scores(SCORES, "test"), after)
    note = "Responses to test prompts alone: training has seen none of them." + (
        " All data are simulated." if run.config.simulated else ""
    )
    before = run.load(Mismatch, "before/mismatch.parquet")
    effect = None if compared is None else compared.frame.to_dicts()
    write_mismatch_section(run.directory / MODEL, before, found.mismatch, effect=effect, note=note)
    return summary


def compare_scores(before: Scores, after: Scores, ratings: Ratings, **how: Any) -> AlignmentResult | None:
    """Agreement with the ratings after beside before; None where there is nothing to compare.

    ``how`` goes to :func:`charm_rm.evaluate.alignment_with_ratings`.
    """
    import warnings

    from ...errors import CharmWarning, NoOverlap, NotIdentifiable
    from ...evaluate import alignment_with_ratings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CharmWarning)  # the audit has just said what there is to say
            return alignment_with_ratings(after, ratings, baseline=before, **how)
    except (NoOverlap, NotIdentifiable):  # two policies, or a model that gives all the same score
        return None


def _compare(run: Run, before: Scores, after: Scores) -> AlignmentResult | None:
    """After beside before, into the file that the summary reads; no file where there is nothing to compare."""
    from ...store import write_frame

    path = run.directory / "after" / ALIGNMENT
    how: dict[str, Any] = {"draws": run.config.audit.draws, "seed": run.config.seed}
    found = compare_scores(before, after, run.ratings(), **how, **run.names)
    if found is None:
        path.unlink(missing_ok=True)
    else:
        write_frame(found.frame, path, force=True)
    return found


def _audit(run: Run, name: str, source: Scores | Margins) -> tuple[Audit, str]:
    names = {**run.names, "unrated": run.config.ratings.unrated}  # but for candidates, which it knows itself
    found = audit_source(source, run.ratings(), run.config.audit, seed=run.config.seed, **names)
    folder = run.directory / name
    for file, table in ((FAVOUR, found.favouritism), (CANDIDATES, found.candidates)):
        if table is None:
            (folder / file).unlink(missing_ok=True)  # of an older run
    save_audit(found, folder)
    return found, f"{counted(found.summary['pairs'], 'pair')}; {say_figures(found.summary['effect'])}"
