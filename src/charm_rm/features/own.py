"""Features of one's own: numeric columns of the responses, and functions of prompts and responses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from ..errors import ConfigError, SchemaError, did_you_mean, listing
from ..functions import OwnFunction, bad_answer, load_function
from ..protocols import Prompt
from ..tables import Responses
from .measure import FloatArray, chunks

COLUMN, PYTHON = "column:", "python:"
_KEY = ("prompt_id", "policy", "sample", "prompt", "response")


def measure_own(responses: Responses, own: Sequence[str]) -> tuple[dict[str, FloatArray], dict[str, str]]:
    """The own features of a table by name, each of shape (n,), and what decides them (a hash, or ``column``).

    Raises:
        ConfigError: a name is neither ``column:NAME`` nor ``python:MODULE:FUNCTION``, or leads to nothing.
        SchemaError: a column is missing, not numeric, or lacks a number; the message names policy and prompt.
        ModelError: a function fails, or does not answer with one finite number, or one row of them, per response.
    """
    values: dict[str, FloatArray] = {}
    versions: dict[str, str] = {}
    for name in own:
        if name.startswith(COLUMN):
            values[name] = _column(responses.frame, name.removeprefix(COLUMN))
            versions[name] = "column"
        elif name.startswith(PYTHON):
            function = load_function(name.removeprefix(PYTHON))
            values |= _of_function(responses.frame, function)
            versions[name] = function.fingerprint
        else:
            raise ConfigError(
                f"{name!r} is not a feature of your own",
                fix="write column:NAME (a numeric column of the responses) or python:MODULE:FUNCTION",
            )
    return values, versions


def call_own(function: OwnFunction, prompts: Sequence[Prompt], responses: Sequence[str]) -> FloatArray:
    """What a function answers, as (n, d).

    Raises:
        ModelError: it fails, or its answer has another shape than (n,) or (n, d).
    """
    answer = function(list(prompts), list(responses))
    if answer.shape == (len(responses),):
        answer = answer[:, None]
    if answer.ndim != 2 or len(answer) != len(responses) or answer.shape[1] == 0:
        raise bad_answer(
            function.source, f"{len(responses)} responses went in, an array of shape {answer.shape} came out"
        )
    return answer


# --- details ------------------------------------------------------------------------------------


def _column(frame: pl.DataFrame, name: str) -> FloatArray:
    known = [
        c
        for c, dtype in frame.schema.items()
        if c not in _KEY and (dtype.is_numeric() or dtype == pl.Boolean)
    ]
    if name not in frame.columns:
        raise SchemaError(
            f"responses: column {name!r} is missing.{did_you_mean(name, known)}",
            fix=f"numeric columns are {listing(known, limit=12) or 'none'}",
        )
    if name not in known:
        raise SchemaError(
            f"responses: column {name!r} is not numeric ({frame[name].dtype})",
            fix=f"numeric columns are {listing(known, limit=12) or 'none'}",
        )
    values = frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    _refuse_gaps(frame, f"{COLUMN}{name}", values)
    return values


def _of_function(frame: pl.DataFrame, function: OwnFunction) -> dict[str, FloatArray]:
    parts = list(_answers(frame, function))
    if len({part.shape[1] for part in parts}) > 1:
        widths = sorted({part.shape[1] for part in parts})
        raise bad_answer(function.source, f"answers have different numbers of columns: {widths}")
    values = np.concatenate(parts)
    names = (
        [function.source]
        if values.shape[1] == 1
        else [f"{function.source}[{i}]" for i in range(values.shape[1])]
    )
    columns = dict(zip(names, np.ascontiguousarray(values.T), strict=True))
    for name, column in columns.items():
        _refuse_gaps(frame, name, column)
    return columns


def _answers(frame: pl.DataFrame, function: OwnFunction) -> Iterator[FloatArray]:
    for rows in chunks(frame):
        part = frame[rows]
        yield call_own(function, part["prompt"].to_list(), part["response"].to_list())


def _refuse_gaps(frame: pl.DataFrame, name: str, values: FloatArray) -> None:
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        row = int(bad[0])
        policy, prompt = frame["policy"][row], frame["prompt_id"][row]
        raise SchemaError(
            f"feature {name!r} is not a finite number for policy {policy!r}, prompt {prompt!r} ({bad.size} such rows)",
            where=f"responses, row {row}",
            fix="fill in a number, or drop these responses",
        )
