"""Small constructed copies of benchmarks in their official layouts, and scorers that answer from a table."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

Rows = list[dict[str, Any]]


def by_text(scores: Mapping[str, float]) -> Callable[[Sequence[Any], Sequence[str]], np.ndarray]:
    """A scorer that knows each response by its text."""
    return lambda _prompts, responses: np.array([scores[r] for r in responses])


def write_lines(path: Path, rows: Rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return path


def write_json(path: Path, rows: Rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows))
    return path


def write_parquet(path: Path, rows: Rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(path)
    return path
