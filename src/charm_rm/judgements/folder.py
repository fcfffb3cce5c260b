"""Folders of judgements: AlpacaEval's results, Arena-Hard's and MT-Bench's model judgements."""

from __future__ import annotations

import warnings
from pathlib import Path

import polars as pl

from ..errors import ConfigError, ReadingNote, UnreadableFile, counted, listing
from ..provenance import source_record
from ..reading.containers import SUFFIXES
from ..reading.parts import is_dataset
from ..store import column_names
from ..tables import Margins, Scores
from .grades import as_scores, graded_rows
from .layouts import judged_rows, layout_of
from .logs import logs_in
from .margins import as_margins
from .rows import is_known, no_layout, read_rows, with_numbers
from .whose import choose, of_judge

# Tried in this order: AlpacaEval's results/, results/POLICY/ and results/POLICY/ANNOTATOR/; Arena-Hard's JUDGE/.
_ANNOTATIONS = "annotations.json"
_FILES = (f"*/*/{_ANNOTATIONS}", f"*/{_ANNOTATIONS}", _ANNOTATIONS, "*.jsonl")


def holds_judgements(folder: Path) -> bool:
    """Whether a folder holds judgements, and no table of anything else."""
    if is_dataset(folder):
        return False
    if logs_in(folder):
        return True
    files = next((found for pattern in _FILES if (found := sorted(folder.glob(pattern)))), [])
    return bool(files) and (files[0].name == _ANNOTATIONS or is_known(column_names(files[0])))


def load_folder(folder: Path, annotator: str | None, baseline: str | None) -> Margins | Scores:
    """The judgements in a folder: of pairs as margins, grades as scores.

    Raises:
        ConfigError: several judges and none chosen; files of pairs and of grades side by side.
        SchemaError: a file of no known layout.
        UnreadableFile: there are no judgements.
    """
    files, chosen = _files(folder, annotator)
    frames: list[pl.DataFrame] = []
    names: set[str] = set() if chosen is None else {chosen}
    layouts: set[str] = set()
    kinds: dict[bool, Path] = {}
    for file in files:
        wanted = annotator if chosen is None else None  # the folder has chosen
        rows = read_rows(file)
        if rows is None:
            raise no_layout(file)
        frame, name = of_judge(with_numbers(rows, str(file)), wanted, str(file))
        if chosen is None and name is not None:
            names.add(name)
        if file.name == _ANNOTATIONS and "policy" not in frame.columns and _is_of_one(frame):
            frame = frame.with_columns(pl.lit(file.resolve().parent.parent.name).alias("policy"))
        of_pairs = (layout := layout_of(frame.columns)) is not None
        layouts.add(layout or "grades")
        kinds.setdefault(of_pairs, file)
        where = str(file)
        frames.append(
            judged_rows(frame, where=where, baseline=baseline) if of_pairs else graded_rows(frame, where)
        )
    _refuse_both(kinds, folder)
    _note_others(folder, files)
    provenance = {"verb": "load_judgements", **source_record(folder), "files": len(files)}
    provenance |= {"layout": ", ".join(sorted(layouts))}
    provenance |= {"annotator": choose(names, annotator, str(folder)), "baseline": baseline}
    judged = pl.concat(frames, how="diagonal_relaxed")
    if True in kinds:
        return as_margins(judged, where=str(folder), provenance=provenance)
    return as_scores(judged, where=str(folder), provenance=provenance, dropped={})


def _note_others(folder: Path, files: list[Path]) -> None:
    """Say which tables of the folder itself were not read: judgements alone are."""
    others = sorted(
        f.name for f in folder.iterdir() if f.suffix in SUFFIXES and f.is_file() and f not in files
    )
    if others:
        names = listing(dict.fromkeys(f.name for f in files), limit=3)
        warnings.warn(
            f"{folder}: read {counted(len(files), 'file')} of judgements ({names}); not read: {listing(others)}",
            ReadingNote,
            stacklevel=4,
        )


def _refuse_both(kinds: dict[bool, Path], folder: Path) -> None:
    if len(kinds) > 1:
        raise ConfigError(
            f"judgements of pairs ({kinds[True].name}) and grades of single answers ({kinds[False].name}) side by side",
            where=str(folder),
            fix="name one file",
        )


def _files(folder: Path, annotator: str | None) -> tuple[list[Path], str | None]:
    """The files of the first pattern that fits, and the annotator where folders are named after them."""
    for pattern in _FILES:
        files = sorted(folder.glob(pattern))
        if files and pattern.startswith("*/"):
            chosen = choose({f.parent.name for f in files}, annotator, str(folder))
            return [f for f in files if f.parent.name == chosen], chosen
        if files:
            return files, None
    raise UnreadableFile(
        "the folder holds no judgements",
        where=str(folder),
        fix="name a file, or a folder of POLICY/ANNOTATOR/annotations.json or MODEL.jsonl",
    )


def _is_of_one(frame: pl.DataFrame) -> bool:
    """True where the file judges one policy, which its folder then names; a merged file names its own."""
    return "generator_2" not in frame.columns or frame["generator_2"].n_unique() == 1
