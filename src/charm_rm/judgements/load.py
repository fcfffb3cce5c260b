"""Reading files and folders of judgements."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from ..errors import ConfigError
from ..provenance import source_record
from ..reading import is_several
from ..store import column_names, kind_of
from ..tables import Margins, Scores, WinRates
from .boards import is_leaderboard, leaderboard_from_frame, load_leaderboard
from .folder import load_folder
from .grades import as_scores, grade_columns, graded_rows
from .layouts import judged_rows, layout_of
from .logs import is_logged, load_logs, logs_in
from .margins import as_margins
from .rows import NOTHING, in_known_names, is_known, known_names, no_layout, read_rows, with_numbers
from .whose import of_judge


def load_judged(
    path: str | Path,
    *,
    annotator: str | None = None,
    baseline: str | None = None,
    columns: Mapping[str, str] = NOTHING,
) -> Margins | Scores | WinRates | None:
    """What a judge said, in any form that other tools write: pairs as margins, grades as scores, leaderboards as win rates.

    Args:
        path: what :func:`load_judgements` takes; also MT-Bench's single grades and other tables of a judge's scores, AlpacaEval's
            leaderboards, logs of Inspect (a file, or a folder of them) and results of promptfoo.
        annotator: whose judgements, where there are several.
        baseline: the model that all others met, where the file does not name it.
        columns: which column of the file is which field (``judge``, ``winner`` ...), where its name does not tell.

    Returns:
        None where the file is none of these: plain tables of scores, margins or win rates.

    Raises:
        SchemaError, ConfigError, UnreadableFile: as :func:`load_judgements`.
    """
    path = Path(path)
    if logs := _logs(path):
        return load_logs(logs, str(path), annotator)
    if path.is_dir():
        return load_folder(path, annotator, baseline)
    if kind_of(path) != "json" and is_leaderboard(column_names(path)):
        _refuse_annotator(annotator, path)
        return load_leaderboard(path, baseline=baseline, columns=columns)
    frame = read_rows(path, columns)
    return None if frame is None else _judged(frame, str(path), annotator, baseline)


def holds_grades(path: Path, columns: Mapping[str, str] = NOTHING) -> bool:
    """Whether a file, folder or pattern holds grades of single answers: a table with a judge, or logs of evaluation tools."""
    if _logs(path):
        return True
    if is_several(path) or kind_of(path) == "json":
        return False
    names = set(known_names(column_names(path), columns).values())
    return layout_of(names) is None and grade_columns(names) is not None


def _logs(path: Path) -> list[Path]:
    """The files that are logs of evaluation tools: of a folder or pattern, or the file itself."""
    if is_several(path):
        return logs_in(path)
    return [path] if is_logged(path) else []


def judged_from_frame(frame: pl.DataFrame, *, where: str) -> Margins | Scores | WinRates | None:
    """:func:`load_judged` of a frame; ``where`` names it in messages."""
    if is_leaderboard(frame.columns):
        return leaderboard_from_frame(frame, where=where, baseline=None)
    if not is_known(known_names(frame.columns).values()):
        return None
    return _judged(in_known_names(frame, where=where), where, None, None)


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
        raise no_layout(Path(path))
    raise ConfigError(
        f"the file holds {found.noun}, no judgements of pairs",
        where=str(path),
        fix="read it with charm_rm.load_source",
    )


def _refuse_annotator(annotator: str | None, path: Path) -> None:
    if annotator is not None:
        raise ConfigError(
            "a judge can be chosen of judgements alone, and this is a leaderboard",
            where=str(path),
            fix="leave out --judge",
        )


# --- one file -------------------------------------------------------------------------------------


def _judged(frame: pl.DataFrame, where: str, annotator: str | None, baseline: str | None) -> Margins | Scores:
    if layout_of(frame.columns) is None:
        return _scores(frame, where, annotator)
    return _margins(frame, where, annotator, baseline)


def _margins(frame: pl.DataFrame, where: str, annotator: str | None, baseline: str | None) -> Margins:
    """Margins of one frame in a known layout; ``where`` names it in messages."""
    frame, name = of_judge(with_numbers(frame, where), annotator, where)
    provenance = {"verb": "load_judgements", **source_record(where), "layout": layout_of(frame.columns)}
    judged = judged_rows(frame, where=where, baseline=baseline)
    return as_margins(judged, where=where, provenance=provenance | {"annotator": name, "baseline": baseline})


def _scores(frame: pl.DataFrame, where: str, annotator: str | None) -> Scores:
    """Scores of one frame of grades."""
    frame, name = of_judge(with_numbers(frame, where), annotator, where)
    provenance = {"verb": "load_judgements", **source_record(where), "layout": "grades", "annotator": name}
    return as_scores(graded_rows(frame, where), where=where, provenance=provenance, dropped={})
