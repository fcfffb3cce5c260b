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
from ..reading.columns import CONVERSATIONS
from ..reading.parts import is_dataset
from ..store import column_names, kind_of, read_frame, read_json, read_json_lines
from ..tables import Margins, Scores, WinRates
from .boards import is_leaderboard, leaderboard_from_frame, load_leaderboard
from .checks import numbered
from .grades import USED as USED_IN_GRADES
from .grades import as_scores, grade_columns, graded_rows
from .layouts import LAYOUTS, MEASURES, USED, judged_rows, layout_of, of_several_kinds
from .logs import is_logged, load_logs, logs_in
from .margins import as_margins
from .pair_rows import OUTCOMES

# Tried in this order: AlpacaEval's results/, results/POLICY/ and results/POLICY/ANNOTATOR/; Arena-Hard's JUDGE/.
_ANNOTATIONS = "annotations.json"
_FILES = (f"*/*/{_ANNOTATIONS}", f"*/{_ANNOTATIONS}", _ANNOTATIONS, "*.jsonl")
_USED = USED | USED_IN_GRADES


def load_judged(
    path: str | Path, *, annotator: str | None = None, baseline: str | None = None
) -> Margins | Scores | WinRates | None:
    """What a judge said, in any form that other tools write: pairs as margins, grades as scores, leaderboards as win rates.

    Args:
        path: what :func:`load_judgements` takes; also MT-Bench's single grades and other tables of a judge's scores, AlpacaEval's
            leaderboards, logs of Inspect (a file, or a folder of them) and results of promptfoo.
        annotator: whose judgements, where there are several.
        baseline: the model that all others met, where the file does not name it.

    Returns:
        None where the file is none of these: plain tables of scores, margins or win rates.

    Raises:
        SchemaError, ConfigError, UnreadableFile: as :func:`load_judgements`.
    """
    path = Path(path)
    if path.is_dir():
        logs = logs_in(path)
        return _load_folder(path, annotator, baseline) if not logs else load_logs(logs, str(path), annotator)
    if is_logged(path):
        return load_logs([path], str(path), annotator)
    if kind_of(path) != "json" and is_leaderboard(column_names(path)):
        _refuse_annotator(annotator, path)
        return load_leaderboard(path, baseline=baseline)
    frame = _rows(path)
    return None if frame is None else _judged(frame, str(path), annotator, baseline)


def judged_from_frame(frame: pl.DataFrame, *, where: str) -> Margins | Scores | WinRates | None:
    """:func:`load_judged` of a frame; ``where`` names it in messages."""
    if is_leaderboard(frame.columns):
        return leaderboard_from_frame(frame, where=where, baseline=None)
    if not _is_known(frame.columns):
        return None
    return _judged(frame.select([c for c in frame.columns if c in _USED]), where, None, None)


def load_judgements(
    path: str | Path, *, annotator: str | None = None, baseline: str | None = None
) -> Margins:
    """Read existing judgements of pairs as margins: log-odds of the preference, averaged over both orders.

    Args:
        path: AlpacaEval's annotations (JSON, CSV, Parquet; generator_1, generator_2, preference), Arena-Hard's or
            MT-Bench's judgements (JSONL), rows of a prompt, model_a, model_b and winner, a table prompt_id, policy, reference and
            one of margin, preference, probability or winner, or a folder (results/POLICY/ANNOTATOR/annotations.json, or
            MODEL.jsonl).
        annotator: whose judgements, where there are several (column annotator or judge, or folders).
        baseline: the model that all others met, where Arena-Hard's file does not name it (v0.1: gpt-4-0314).

    Judgements without a verdict, of a policy against itself, and of a later turn than the first are dropped and counted in a warning.

    Raises:
        SchemaError: an unknown layout, a label or preference that means nothing, one pair judged twice.
        ConfigError: several annotators and none chosen, an unknown one, or no baseline; grades of single answers, or a leaderboard.
        UnreadableFile: there is nothing readable at ``path``.
    """
    found = load_judged(path, annotator=annotator, baseline=baseline)
    if isinstance(found, Margins):
        return found
    if found is None:
        raise _no_layout(Path(path))
    raise ConfigError(
        f"the file holds {found.noun}, no judgements of pairs",
        where=str(path),
        fix="read it with charm_rm.load_source",
    )


def _rows(path: Path) -> pl.DataFrame | None:
    """The columns of a file that matter to judgements of pairs or grades; None where its columns are of no known layout.

    JSON is read row by row: raw completions differ in shape from row to row and fit no table.
    """
    kind = kind_of(path)
    if kind != "json" and not _is_known(column_names(path)):
        return None
    frame = _json_frame(path, kind) if kind in ("json", "jsonl") else read_frame(path, texts=OUTCOMES)
    return None if frame is None else frame.select([c for c in frame.columns if c in _USED])


def _is_known(columns: Sequence[str]) -> bool:
    return layout_of(columns) is not None or grade_columns(columns) is not None


def _no_layout(path: Path) -> SchemaError:
    layouts = "; ".join(f"{name}: {', '.join(columns)}" for name, columns in LAYOUTS.items())
    return SchemaError(
        "its columns are of no known layout of judgements",
        where=str(path),
        fix=f"{layouts} and one of {', '.join(MEASURES)}",
    )


def _json_frame(path: Path, kind: str) -> pl.DataFrame | None:
    """The columns of interest of JSON rows; None where the file holds something else."""
    rows = read_json(path) if kind == "json" else read_json_lines(path)
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        return None
    names = [name for name in {name: None for row in rows for name in row} if name in _USED]
    if not _is_known(names):
        return None
    return pl.DataFrame([_series(name, [row.get(name) for row in rows], path) for name in names])


def _series(name: str, values: list[Any], path: Path) -> pl.Series:
    """Numbers as numbers, games with their scores alone (as text), prompts as they are, everything else as text."""
    told = [v for v in values if v is not None]
    if name in CONVERSATIONS:
        return json_series(name, values, lambda index: f"{path}: judgements, row {index}")
    if all(isinstance(v, list) and all(g is None or isinstance(g, dict) for g in v) for v in told):
        return pl.Series(name, [v and [g and {"score": _text(g.get("score"))} for g in v] for v in values])
    if any(isinstance(v, list | dict | bool) for v in told):
        return pl.Series(name, [_text(v) for v in values], dtype=pl.String)
    return json_series(name, values, lambda index: f"{path}: judgements, row {index}")


def _text(value: Any) -> str | None:
    """Text as it is, of MT-Bench's judge (model and prompt) the model, anything else as JSON."""
    if value is None or isinstance(value, str):
        return value
    return str(value[0]) if isinstance(value, list) and value else json.dumps(value)


# --- one file -------------------------------------------------------------------------------------


def _judged(frame: pl.DataFrame, where: str, annotator: str | None, baseline: str | None) -> Margins | Scores:
    if layout_of(frame.columns) is None:
        return _scores(frame, where, annotator)
    return _margins(frame, where, annotator, baseline)


def _margins(frame: pl.DataFrame, where: str, annotator: str | None, baseline: str | None) -> Margins:
    """Margins of one frame in a known layout; ``where`` names it in messages."""
    frame, name = _of_annotator(_numbered(frame, where), annotator, where)
    provenance = {"verb": "load_judgements", **source_record(where), "layout": layout_of(frame.columns)}
    judged = judged_rows(frame, where=where, baseline=baseline)
    return as_margins(judged, where=where, provenance=provenance | {"annotator": name, "baseline": baseline})


def _scores(frame: pl.DataFrame, where: str, annotator: str | None) -> Scores:
    """Scores of one frame of grades."""
    frame, name = _of_annotator(_numbered(frame, where), annotator, where)
    provenance = {"verb": "load_judgements", **source_record(where), "layout": "grades", "annotator": name}
    return as_scores(graded_rows(frame, where), where=where, provenance=provenance, dropped={})


def _numbered(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    return numbered(frame, where, but=of_several_kinds(layout_of(frame.columns)))


# --- whose judgements -----------------------------------------------------------------------------


def _refuse_annotator(annotator: str | None, path: Path) -> None:
    if annotator is not None:
        raise ConfigError(
            "a judge can be chosen of judgements alone, and this is a leaderboard",
            where=str(path),
            fix="leave out --judge",
        )


def _load_folder(folder: Path, annotator: str | None, baseline: str | None) -> Margins:
    files, chosen = _files(folder, annotator)
    frames: list[pl.DataFrame] = []
    names: set[str] = set() if chosen is None else {chosen}
    for file in files:
        wanted = annotator if chosen is None else None  # the folder has chosen
        rows = _rows(file)
        if rows is None or layout_of(rows.columns) is None:
            raise _no_layout(file)
        frame, name = _of_annotator(_numbered(rows, str(file)), wanted, str(file))
        if chosen is None and name is not None:
            names.add(name)
        if file.name == _ANNOTATIONS and "policy" not in frame.columns and _is_of_one(frame):
            frame = frame.with_columns(pl.lit(file.resolve().parent.parent.name).alias("policy"))
        frames.append(judged_rows(frame, where=str(file), baseline=baseline))
    provenance = {"verb": "load_judgements", **source_record(folder), "files": len(files)}
    provenance |= {"annotator": _choose(names, annotator, str(folder)), "baseline": baseline}
    judged = pl.concat(frames, how="diagonal_relaxed")
    return as_margins(judged, where=str(folder), provenance=provenance)


def holds_judgements(folder: Path) -> bool:
    """Whether a folder holds judgements, and no table of anything else."""
    if is_dataset(folder):
        return False
    if logs_in(folder):
        return True
    files = next((found for pattern in _FILES if (found := sorted(folder.glob(pattern)))), [])
    return bool(files) and (files[0].name == _ANNOTATIONS or _is_known(column_names(files[0])))


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
    frame = frame.with_columns(_judges(frame[column]))
    chosen = _choose(frame[column].drop_nulls().unique().to_list(), annotator, where)
    return (frame if chosen is None else frame.filter(pl.col(column) == chosen)), chosen


def _judges(names: pl.Series) -> pl.Series:
    """Names of judges as text; of MT-Bench's, model and prompt, the model: its prompts differ by question and turn."""
    if names.dtype == pl.List(pl.String):
        return names.list.first()
    return name_texts(names)


def _choose(names: set[str] | Sequence[str], annotator: str | None, where: str) -> str | None:
    """The annotator asked for, or the only one there is.

    Raises:
        ConfigError: there are several and none is chosen, or the one chosen is not there.
    """
    known = sorted(names)
    if annotator is None and len(known) > 1:
        raise ConfigError(
            f"judgements of {len(known)} judges: {listing(known, limit=12)}",
            where=where,
            fix="choose one with --judge NAME (annotator=)",
        )
    if annotator is not None and known and annotator not in known:
        raise ConfigError(
            f"no judgements of judge {annotator!r}.{did_you_mean(annotator, known)}",
            where=where,
            fix=f"choose one of {listing(known, limit=12)}",
        )
    return annotator if annotator is not None else next(iter(known), None)
