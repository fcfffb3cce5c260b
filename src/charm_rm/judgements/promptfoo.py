"""Results of promptfoo: the score of every provider on every test, as grades.

A file of ``promptfoo eval --output``: a JSON document whose ``results`` (or ``results.results``) lists one result a test, prompt and
provider, or JSONL with one a line.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from ..conversations import prompt_hash
from ..errors import ConfigError, ReadingNote, SchemaError, did_you_mean, listing
from .inspect_logs import Graded

OVERALL = "score"
_ERROR = 2  # promptfoo's failureReason of a test that could not be run
_TELLING = ({"provider", "success", "score"}, {"provider", "gradingResult"})


def results_of(document: Any) -> list[Mapping[str, Any]] | None:
    """The results in a JSON document; None where it is none of promptfoo's."""
    found = document.get("results") if isinstance(document, Mapping) else None
    if isinstance(found, Mapping):
        found = found.get("results")
    if not isinstance(found, list) or not all(isinstance(r, Mapping) for r in found):
        return None
    return found if found and is_result(found[0]) else None


def is_result(columns: Iterable[str]) -> bool:
    """Whether these are the keys of one result."""
    return any(set(columns) >= telling for telling in _TELLING)


def promptfoo_grades(results: Sequence[Mapping[str, Any]], metric: str | None, where: str) -> Graded:
    """The grades of one metric; policies are providers, by their label where they have one, and prompts the rendered texts.

    Args:
        results: as promptfoo writes them.
        metric: a named metric, or a type of assertion (``llm-rubric``: the mean of its assertions); None: the overall score.
        where: the file, for messages.

    Raises:
        ConfigError: an unknown metric.
        SchemaError: a result without a provider, or a score that is no number.
    """
    known = sorted({name for r in results for name in _metrics(r)})
    if metric is not None and metric not in (*known, OVERALL):
        raise ConfigError(
            f"no result has a metric or assertion {metric!r}.{did_you_mean(metric, known)}",
            where=where,
            fix=f"choose one of {listing([OVERALL, *known], limit=12)}",
        )
    if metric is None and known:
        told = f"promptfoo's own score of all its assertions is read; --judge chooses one of {listing(known, limit=12)}"
        warnings.warn(f"{where}: {told}", ReadingNote, stacklevel=4)
    rows: list[tuple[str, str, float | None]] = []
    dropped = {"error": 0}
    for number, result in enumerate(results):
        at = f"{where}: result {number}"
        if _failed(result):
            dropped["error"] += 1
            continue
        rows.append((_prompt(result, at), _provider(result, at), _grade(result, metric or OVERALL, at)))
    schema = {"prompt_id": pl.String, "policy": pl.String, "score": pl.Float64}
    return Graded(pl.DataFrame(rows, schema=schema, orient="row"), metric or OVERALL, dropped)


def _failed(result: Mapping[str, Any]) -> bool:
    """Whether the test could not be run; a test that an assertion failed has its score."""
    reason = result.get("failureReason")
    if reason is None:
        return bool(result.get("error")) and not result.get("gradingResult")
    return bool(reason == _ERROR)


def _provider(result: Mapping[str, Any], at: str) -> str:
    provider = result.get("provider")
    if isinstance(provider, Mapping):
        provider = provider.get("label") or provider.get("id")
    if not isinstance(provider, str) or not provider:
        raise SchemaError("no provider", where=at, fix="write the results again with promptfoo eval --output")
    return provider


def _prompt(result: Mapping[str, Any], at: str) -> str:
    """The id that responses to the rendered prompt get; of results that keep no prompt, one of its variables."""
    prompt = result.get("prompt")
    raw = prompt.get("raw") if isinstance(prompt, Mapping) else prompt
    if isinstance(raw, str) and raw:
        return prompt_hash(raw)
    if isinstance(result.get("vars"), Mapping) and result["vars"]:
        return prompt_hash(json.dumps(result["vars"], sort_keys=True, ensure_ascii=False))
    if isinstance(result.get("testIdx"), int):
        return f"test-{result['testIdx']}"
    raise SchemaError(
        "neither prompt nor variables", where=at, fix="write the results again with promptfoo eval --output"
    )


# --- scores -------------------------------------------------------------------------------------


def _components(result: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The scores of its assertions by their type."""
    grading = result.get("gradingResult")
    parts = grading.get("componentResults") if isinstance(grading, Mapping) else None
    found: dict[str, list[Any]] = {}
    for part in parts if isinstance(parts, list) else []:
        assertion = part.get("assertion") if isinstance(part, Mapping) else None
        kind = assertion.get("type") if isinstance(assertion, Mapping) else None
        if isinstance(kind, str):
            found.setdefault(kind, []).append(part.get("score"))
    return found


def _named(result: Mapping[str, Any]) -> Mapping[str, Any]:
    found = result.get("namedScores")
    return found if isinstance(found, Mapping) else {}


def _metrics(result: Mapping[str, Any]) -> set[str]:
    return {*_named(result), *_components(result)}


def _grade(result: Mapping[str, Any], metric: str, at: str) -> float | None:
    if metric in _named(result):
        values = [_named(result)[metric]]
    elif metric == OVERALL:
        values = [result.get("score")]
    else:
        values = _components(result).get(metric, [])
    told = [v for v in values if v is not None]
    for value in told:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise SchemaError(
                f"{metric} {str(value)[:40]!r} is no number", where=at, fix="correct or drop the result"
            )
    return sum(told) / len(told) if told else None
