"""Logs of evaluation tools -> Scores: Inspect's, one a model, and promptfoo's results."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..provenance import source_record
from ..reading.containers import source_of
from ..store import column_names, kind_of, read_json, read_json_lines
from ..tables import Scores
from .grades import as_scores
from .inspect_logs import SUFFIX, Log, inspect_grades, is_log, log_of, read_archive
from .promptfoo import is_result, promptfoo_grades, results_of

INSPECT, PROMPTFOO = "Inspect", "promptfoo"
_READ = 1024  # bytes in which a document that is an object shows itself


def is_logged(path: Path) -> bool:
    """Whether a file is a log of Inspect, or results of promptfoo."""
    if path.suffix == SUFFIX:
        return True
    kind = kind_of(path)
    if kind == "jsonl":
        return is_result(column_names(path))
    return kind == "json" and _is_object(path) and _tool(read_json(path)) is not None


def logs_in(path: Path) -> list[Path]:
    """The files that a folder or pattern names, in order of their names, where they are logs; none where they are something else.

    Inspect's own file that lists the logs of a folder, ``logs.json``, is none of them.
    """
    if not path.is_dir():
        found = [Path(name) for name in sorted(glob.glob(str(path)))]  # noqa: PTH207 - the pattern may be absolute
        return found if found and is_logged(found[0]) else []
    archives = sorted(path.glob(f"*{SUFFIX}"))
    documents = sorted(p for p in path.glob("*.json") if p.name not in ("logs.json", "annotations.json"))
    return archives + (documents if documents and is_logged(documents[0]) else [])


def load_logs(paths: Sequence[Path], where: str, judge: str | None) -> Scores:
    """The scores in some logs, all of one tool.

    Args:
        paths: the files.
        where: the file or folder that was asked for, for messages.
        judge: which scorer of Inspect, or metric of promptfoo.

    Raises:
        ConfigError: several scorers and none chosen, an unknown one, two logs of one model, logs of both tools.
        SchemaError: no scores, or values that are no numbers.
        UnreadableFile: a file cannot be read.
    """
    found = [_read(path) for path in paths]
    logs = [one for one in found if isinstance(one, Log)]
    results = [result for one in found if not isinstance(one, Log) for result in one]
    if logs and results:
        raise ConfigError(
            "logs of Inspect and results of promptfoo side by side",
            where=where,
            fix="name one file, or a folder of one kind",
        )
    layout = INSPECT if logs else PROMPTFOO
    graded = inspect_grades(logs, judge, where) if logs else promptfoo_grades(results, judge, where)
    provenance = {
        "verb": "load_judgements",
        **source_record(where),
        "layout": layout,
        "annotator": graded.judge,
    }
    return as_scores(graded.frame, where=where, provenance=provenance, dropped=graded.dropped)


def _read(path: Path) -> Log | list[Any]:
    if path.suffix == SUFFIX:
        return read_archive(path)
    document = {"results": read_json_lines(path)} if kind_of(path) == "jsonl" else read_json(path)
    if _tool(document) == INSPECT:
        return log_of(document, str(path))
    results = results_of(document)
    if results is None:
        raise ConfigError(
            "neither a log of Inspect nor results of promptfoo, as others beside it are",
            where=str(path),
            fix="move it elsewhere, or name one file",
        )
    return list(results)


def _tool(document: Any) -> str | None:
    if is_log(document):
        return INSPECT
    return None if results_of(document) is None else PROMPTFOO


def _is_object(path: Path) -> bool:
    """Whether a JSON file holds an object, by its first character: lists, the common case, are not read twice."""
    return source_of(path).start(_READ).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
