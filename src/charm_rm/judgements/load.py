"""Reading files and folders of judgements."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from ..errors import ConfigError, SchemaError, UnreadableFile, did_you_mean, listing
from ..provenance import source_record
from ..reading import json_series, name_texts
from ..store import column_names, read_frame, read_json, read_json_lines
from ..tables import Margins
from .checks import numbered
from .layouts import LAYOUTS, MEASURES, USED, judged_rows, layout_of
from .margins import as_margins

# Tried in this order: AlpacaEval's results/, results/POLICY/ and results/POLICY/ANNOTATOR/; Arena-Hard's JUDGE/.
_ANNOTATIONS = "annotations.json"
_FILES = (f"*/*/{_ANNOTATIONS}", f"*/{_ANNOTATIONS}", _ANNOTATIONS, "*.jsonl")


def load_judgements(
    path: str | Path, *, annotator: str | None = None, baseline: str | None = None
) -> Margins:
    """Read existing judgements as margins: log-odds of the preference, averaged over both orders.

    Args:
        path: AlpacaEval's annotations (JSON, CSV, Parquet; generator_1, generator_2, preference), Arena-Hard's or
            MT-Bench's judgements (JSONL), a table prompt_id, policy, reference and one of margin, preference,
            probability or winner, or a folder (results/POLICY/ANNOTATOR/annotations.json, or MODEL.jsonl).
        annotator: whose judgements, where there are several (column annotator or judge, or folders).
        baseline: the model that all others met, where Arena-Hard's file does not name it (v0.1: gpt-4-0314).

    Judgements without a verdict, and of a policy against itself, are dropped and counted in a warning.

    Raises:
        SchemaError: an unknown layout, a label or preference that means nothing, one pair judged twice.
        ConfigError: several annotators and none chosen, an unknown one, or no baseline.
        UnreadableFile: there is nothing readable at ``path``.
    """
    path = Path(path)
    if path.is_dir():
        return _load_folder(path, annotator, baseline)
    return judgements_from_frame(_known_frame(path), where=str(path), annotator=annotator, baseline=baseline)


def judgements_from_frame(
    frame: pl.DataFrame, *, where: str, annotator: str | None = None, baseline: str | None = None
) -> Margins:
    """Margins of one frame in a known layout; ``where`` names it in messages."""
    frame, name = _of_annotator(numbered(frame, where), annotator, where)
    provenance = {"verb": "load_judgements", **source_record(where), "layout": layout_of(frame.columns)}
    judged = judged_rows(frame, where=where, baseline=baseline)
    return as_margins(judged, where=where, provenance=provenance | {"annotator": name, "baseline": baseline})


def judgement_frame(path: str | Path) -> pl.DataFrame | None:
    """The columns of a file that matter to a layout of judgements; None where its columns are of no layout.

    JSON is read row by row: raw completions differ in shape from row to row and fit no table.
    """
    path = Path(path)
    if path.suffix != ".json" and layout_of(column_names(path)) is None:
        return None
    frame = _json_frame(path) if path.suffix in (".json", ".jsonl") else read_frame(path)
    return None if frame is None else frame.select([c for c in frame.columns if c in USED])


def _known_frame(path: Path) -> pl.DataFrame:
    frame = judgement_frame(path)
    if frame is None:
        layouts = "; ".join(f"{name}: {', '.join(columns)}" for name, columns in LAYOUTS.items())
        raise SchemaError(
            "its columns are of no known layout of judgements",
            where=str(path),
            fix=f"{layouts} and one of {', '.join(MEASURES)}",
        )
    return frame


def _json_frame(path: Path) -> pl.DataFrame | None:
    """The columns of interest of JSON rows; None where the file holds something else."""
    rows = read_json(path) if path.suffix == ".json" else read_json_lines(path)
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        return None
    names = [name for name in {name: None for row in rows for name in row} if name in USED]
    if layout_of(names) is None:
        return None
    return pl.DataFrame([_series(name, [row.get(name) for row in rows], path) for name in names])


def _series(name: str, values: list[Any], path: Path) -> pl.Series:
    """Numbers as numbers, games with their scores alone (as text), everything else as text."""
    told = [v for v in values if v is not None]
    if all(isinstance(v, list) and all(g is None or isinstance(g, dict) for g in v) for v in told):
        return pl.Series(name, [v and [g and {"score": _text(g.get("score"))} for g in v] for v in values])
    if any(isinstance(v, list | dict | bool) for v in told):
        return pl.Series(name, [_text(v) for v in values], dtype=pl.String)
    return json_series(name, values, lambda index: f"{path}: judgements, row {index}")


def _text(value: Any) -> str | None:
    """Text as it is, a list (MT-Bench's judge: model and prompt) as its parts, anything else as JSON."""
    if value is None or isinstance(value, str):
        return value
    return "/".join(map(str, value)) if isinstance(value, list) else json.dumps(value)


# --- whose judgements -----------------------------------------------------------------------------


def _load_folder(folder: Path, annotator: str | None, baseline: str | None) -> Margins:
    files, chosen = _files(folder, annotator)
    frames: list[pl.DataFrame] = []
    names: set[str] = set() if chosen is None else {chosen}
    for file in files:
        wanted = annotator if chosen is None else None  # the folder has chosen
        frame, name = _of_annotator(numbered(_known_frame(file), str(file)), wanted, str(file))
        if chosen is None and name is not None:
            names.add(name)
        if file.name == _ANNOTATIONS and "policy" not in frame.columns and _is_of_one(frame):
            frame = frame.with_columns(pl.lit(file.resolve().parent.parent.name).alias("policy"))
        frames.append(judged_rows(frame, where=str(file), baseline=baseline))
    provenance = {"verb": "load_judgements", **source_record(folder), "files": len(files)}
    provenance |= {"annotator": _choose(names, annotator, str(folder)), "baseline": baseline}
    judged = pl.concat(frames, how="diagonal_relaxed")
    return as_margins(judged, where=str(folder), provenance=provenance)


def _files(folder: Path, annotator: str | None) -> tuple[list[Path], str | None]:
    """The files of the first pattern that fits, and the annotator where folders are named after them."""
    for pattern in _FILES:
        files = sorted(folder.glob(pattern))
        if files and pattern.startswith("*/"):
            chosen = _choose({f.parent.name for f in files}, annotator, str(folder))
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


def _of_annotator(frame: pl.DataFrame, annotator: str | None, where: str) -> tuple[pl.DataFrame, str | None]:
    """The rows of the annotator (column annotator, or judge), and who that is."""
    column = next((c for c in ("annotator", "judge") if c in frame.columns), None)
    if column is None:
        return frame, annotator
    frame = frame.with_columns(name_texts(frame[column]))
    chosen = _choose(frame[column].drop_nulls().unique().to_list(), annotator, where)
    return (frame if chosen is None else frame.filter(pl.col(column) == chosen)), chosen


def _choose(names: set[str] | Sequence[str], annotator: str | None, where: str) -> str | None:
    """The annotator asked for, or the only one there is.

    Raises:
        ConfigError: there are several and none is chosen, or the one chosen is not there.
    """
    known = sorted(names)
    if annotator is None and len(known) > 1:
        raise ConfigError(
            f"judgements of {len(known)} annotators: {listing(known, limit=12)}",
            where=where,
            fix="choose one with annotator= (--annotator)",
        )
    if annotator is not None and known and annotator not in known:
        raise ConfigError(
            f"no judgements of annotator {annotator!r}.{did_you_mean(annotator, known)}",
            where=where,
            fix=f"choose one of {listing(known, limit=12)}",
        )
    return annotator if annotator is not None else next(iter(known), None)
