"""Read a run directory, or one audit's directory, into frozen Findings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from .. import store
from ..errors import UnreadableFile
from ..reading.shapes import check_shape
from ..study.analysis import load_analysis
from ..study.results import StudyAnalysis
from ..style import Calibrator, load_calibrator
from ..style.explanation import FILE as EXPLANATION
from ..style.explanation import Explanation
from ..tables import Candidates, Favouritism, Mismatch, Offsets, Ratings, Table
from . import shapes
from .cleaning import clean_study, cleaned
from .words import clean

N = TypeVar("N", bound=Table)
_MAX_FLIPS = 8
STUDY = "study"  # of a run's folder: the analysis of a study


@dataclass(frozen=True)
class Audited:
    """One audit: what the reward model does beside what people think."""

    mismatch: pl.DataFrame
    favouritism: pl.DataFrame | None = None
    sharpness: Mapping[str, float] | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    candidates: pl.DataFrame | None = None

    @property
    def warnings(self) -> list[str]:
        return [clean(w) for w in (self.details.get("warnings") or [])]

    @property
    def spearman(self) -> Mapping[str, Any] | None:
        """Spearman's correlation with human ratings as value, ci_low, ci_high; None where the audit has none."""
        found = self.details.get("rank_correlation")
        rho = found.get("spearman") if isinstance(found, Mapping) else None
        return rho if isinstance(rho, Mapping) else None

    @property
    def variants(self) -> list[Mapping[str, Any]]:
        """The favour shown to one policy by several ways of counting wins, the audit's own first; empty where there is one way."""
        return list(self.details.get("variants") or [])

    @property
    def is_calibrated(self) -> bool:
        """True where the audited scores had offsets added (see :func:`charm_rm.apply_offsets`)."""
        return "calibrated" in self._input

    @property
    def in_sample(self) -> bool | None:
        """Whether the offsets were solved on the audited prompts, where the scores' provenance says so."""
        found = self._input.get("in_sample")
        return found if isinstance(found, bool) else None

    @property
    def _input(self) -> Mapping[str, Any]:
        found = (self.details.get("provenance") or {}).get("input")
        return found if isinstance(found, Mapping) else {}


@dataclass(frozen=True)
class Findings:
    """Everything the report shows. What a run did not produce is None or empty."""

    name: str
    before: Audited
    after: Audited | None = None
    ratings: pl.DataFrame | None = None
    offsets: pl.DataFrame | None = None
    residuals: pl.DataFrame | None = None
    offset_settings: Mapping[str, Any] = field(default_factory=dict)
    calibrator: Calibrator | None = None
    beside: pl.DataFrame | None = None
    ledger: pl.DataFrame | None = None
    explanation: pl.DataFrame | None = None
    explained: Mapping[str, Any] = field(default_factory=dict)
    flips: Sequence[Mapping[str, Any]] = ()
    benchmarks: pl.DataFrame | None = None
    alignment: pl.DataFrame | None = None
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    evaluation_page: bool = False
    manifest: Mapping[str, Any] = field(default_factory=dict)
    generated: Mapping[str, Any] = field(default_factory=dict)
    study: StudyAnalysis | None = None

    @property
    def simulated(self) -> bool:
        """True where the manifest says that the data come from the testbed."""
        return self.manifest.get("simulated") is True

    @property
    def votes_simulated(self) -> bool:
        """True where the manifest says that the votes alone are simulated."""
        return self.manifest.get("votes_simulated") is True

    @property
    def offset_unit(self) -> str:
        """What offsets are measured in: score units, or log-odds where judgements were calibrated."""
        return "log-odds" if self.offset_settings.get("unit") == "log-odds" else "score units"

    @property
    def soft_temperature(self) -> float | None:
        """The temperature of the win rates where the audit's are soft; None where they are shares of wins."""
        settings = (self.before.details.get("provenance") or {}).get("settings") or {}
        return float(settings.get("temperature") or 1.0) if settings.get("outcome") == "soft" else None

    @property
    def warnings(self) -> list[str]:
        """Warnings of every stage, each once, in order."""
        more = (
            self.offset_settings.get("warnings") or [],
            (self.calibrator.provenance.get("warnings") or []) if self.calibrator else [],
            self.evaluation.get("warnings") or [],
            self.manifest.get("warnings") or [],
            self.study.warnings if self.study else [],
        )
        found = [*self.before.warnings, *(self.after.warnings if self.after else [])]
        return list(dict.fromkeys(found + [clean(w) for ws in more for w in ws]))


def has_baseline(frame: pl.DataFrame | None) -> bool:
    """True where a table of an evaluation compares with a baseline in any row."""
    return frame is not None and "difference" in frame.columns and frame["difference"].is_not_null().any()


def gather(directory: str | Path, *, study: str | Path | None = None) -> Findings:
    """Read what a run left in ``directory``; a plain audit directory serves too. ``study``: the folder of a study's analysis.

    Raises:
        UnreadableFile: there is no audit in it, or a file is damaged.
        SchemaError: a table breaks its schema.
    """
    directory = Path(directory)
    offsets = _noun(Offsets, directory / "offsets.parquet")
    ratings = _noun(Ratings, directory / "ratings.parquet")
    manifest = store.read_shaped(directory / "manifest.json", shapes.MANIFEST)
    explanation = _explanation(directory)
    if offsets:
        check_shape(offsets.provenance, shapes.OFFSETS, where=str(directory / "offsets.parquet"))
    return Findings(
        name=_name(directory, manifest),
        before=_first_audit(directory),
        after=_audited(directory / "after"),
        ratings=ratings.frame if ratings else None,
        offsets=offsets.frame if offsets else None,
        residuals=cleaned(offsets.residuals) if offsets and offsets.residuals is not None else None,
        offset_settings=offsets.provenance if offsets else {},
        explanation=explanation.frame if explanation else None,
        explained=explanation.summary if explanation else {},
        calibrator=_calibrator(directory / "calibrator.json"),
        beside=_frame(directory / "beside.parquet", shapes.BESIDE, "ways of calibrating"),
        ledger=_frame(directory / "prefs" / "ledger.parquet", shapes.LEDGER, "labels"),
        flips=_flips(directory / "prefs" / "preferences.parquet"),
        benchmarks=_frame(
            directory / "evaluation" / "benchmarks.parquet", shapes.BENCHMARKS, "benchmarks", needed=()
        ),
        alignment=_alignment(directory),
        evaluation=store.read_shaped(directory / "evaluation" / "evaluation.json", shapes.EVALUATION),
        evaluation_page=(directory / "evaluation" / "evaluation.html").is_file(),
        manifest=manifest,
        generated=store.read_shaped(directory / "generated" / "_manifest.json", shapes.GENERATED),
        study=_study(directory, study),
    )


def _study(directory: Path, study: str | Path | None) -> StudyAnalysis | None:
    """The analysis in the folder that was named, else in ``study/``; None where there is none."""
    folder = directory / STUDY if study is None else Path(study)
    if study is None and not (folder / "study.json").is_file():
        return None
    if not (folder / "study.json").is_file():
        raise UnreadableFile(
            "holds no analysis of a study: no study.json",
            where=str(folder),
            fix="name the folder that `charm study analyse -o` wrote",
        )
    return clean_study(load_analysis(folder))


def _explanation(directory: Path) -> Explanation | None:
    """What style explains: beside the first audit, or in its folder."""
    for path in (directory / EXPLANATION, directory / "before" / EXPLANATION):
        if (found := _noun(Explanation, path)) is not None:
            check_shape(found.summary, shapes.EXPLAINED, where=str(path))
            return found
    return None


def _calibrator(path: Path) -> Calibrator | None:
    if not path.exists():
        return None
    found = load_calibrator(path)
    told = {"held_out": list(found.held_out), "provenance": dict(found.provenance)}
    check_shape(told, shapes.CALIBRATOR, where=str(path))
    return found


def _alignment(directory: Path) -> pl.DataFrame | None:
    """Agreement with the ratings: the evaluation's, or after beside before as the second audit left it."""
    places = (directory / name / "alignment.parquet" for name in ("evaluation", "after"))
    found = (_frame(place, shapes.ALIGNMENT, "alignment", needed=()) for place in places)
    return next((frame for frame in found if frame is not None), None)


def _name(directory: Path, manifest: Mapping[str, Any]) -> str:
    """What the run is called; a folder still being written (see store) by what it will be called."""
    folder = directory.resolve().name
    unfinished = re.fullmatch(r"\.(.+)\.[^.]+\.part", folder)
    return clean(manifest.get("name") or (unfinished[1] if unfinished else folder))


def _first_audit(directory: Path) -> Audited:
    audit = _audited(directory / "before") or _audited(directory)
    if audit is None:
        raise UnreadableFile(
            "holds no audit: neither mismatch.parquet nor before/mismatch.parquet",
            where=str(directory),
            fix=_other_page(directory) or "name the folder that `charm audit -o` or `charm run` wrote",
        )
    return audit


def _other_page(directory: Path) -> str | None:
    """The page that a folder of another command has already."""
    names = ("evaluation.html", "comparison.html", "study.html")
    page = next((name for name in names if (directory / name).is_file()), None)
    return page and f"open {page} in it, which is its page; a report is about an audit"


def _audited(folder: Path) -> Audited | None:
    mismatch = _noun(Mismatch, folder / "mismatch.parquet")
    if mismatch is None:
        return None
    favouritism = _noun(Favouritism, folder / "favouritism.parquet")
    details = store.read_shaped(folder / "audit.json", shapes.AUDIT)
    sharpness = details.get("sharpness")
    if favouritism and favouritism.sharpness:
        sharpness = vars(favouritism.sharpness)
    candidates = _noun(Candidates, folder / "candidates.parquet")
    return Audited(
        mismatch.frame,
        favouritism.frame if favouritism else None,
        sharpness,
        details,
        candidates.frame if candidates else None,
    )


def _flips(path: Path) -> list[dict[str, Any]]:
    """The flipped labels with the largest margins, one per policy pair before a second of any."""
    if (
        frame := _frame(path, shapes.FLIPS, "preferences", needed=())
    ) is None or "flipped" not in frame.columns:
        return []
    flipped = frame.filter(pl.col("flipped"))
    if "margin" in flipped.columns:
        flipped = flipped.sort("margin", descending=True, nulls_last=True)
    pair = [c for c in ("chosen_policy", "rejected_policy") if c in flipped.columns]
    if pair:
        turn = pl.int_range(pl.len()).over(pair).alias("turn")
        flipped = flipped.with_columns(turn).sort("turn", maintain_order=True)
    return flipped.head(_MAX_FLIPS).to_dicts()


def _noun(noun: type[N], path: Path) -> N | None:
    if not path.exists():
        return None
    table = store.load(noun, path)
    return replace(table, frame=cleaned(table.frame))


def _frame(
    path: Path, kinds: Mapping[str, str], noun: str, *, needed: Sequence[str] | None = None
) -> pl.DataFrame | None:
    if not path.exists():
        return None
    return cleaned(store.read_columns(path, kinds, noun=noun, needed=needed))
