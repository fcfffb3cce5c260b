"""Responses of policies to prompts: reading them in, sampling instructions, splitting by prompt.

A source is a table (Parquet, JSONL, CSV, JSON) with the columns of :class:`~charm_rm.tables.Responses`,
an AlpacaEval ``model_outputs.json`` (instruction, output, generator), or a folder of
``POLICY/model_outputs.json``. ``datasets`` folders and hub ids are read by
``charm_rm.models.load_any_responses``, which needs the ``[hf]`` extra.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import polars as pl

from .conversations import as_conversation, prompt_hash, prompt_ids, uniform_prompts
from .errors import (
    CharmWarning,
    ConfigError,
    NoOverlap,
    ReadingNote,
    SchemaError,
    UnknownPolicy,
    did_you_mean,
    listing,
)
from .paths import file_of
from .policy_names import near_policies
from .provenance import source_record
from .reading.nested import with_inner_rows
from .reading.parts import is_dataset
from .reading.resolve import columns_of, option, preferring_texts, renamed, told
from .samples import of_scored, refuse_samples
from .store import kind_of, naming, payload_of, read_conversations
from .tables import TEXT, Responses, Table, TableLike, as_frame, with_kinds

ALPACA_EVAL_FILE = "model_outputs.json"
# AlpacaEval's column names and ours.
_ALPACA_EVAL = {"instruction": "prompt", "output": "response", "generator": "policy"}
_NEEDED = {"prompt_id", "prompt", "policy", "response"}


ResponsesLike: TypeAlias = Responses | TableLike | str | os.PathLike[str]


def as_responses(given: ResponsesLike, *, samples: bool = False, of: Table | None = None) -> Responses:
    """Responses, or the path or table that holds them, as :func:`load_responses` and :func:`responses_from_frame` read it.

    ``samples``: several of a policy to a prompt may be there. ``of``: scores that say which sample they are of; only those are kept.

    Raises:
        SeveralSamples: a policy has several responses to a prompt, and ``samples`` is off.
    """
    if isinstance(given, Responses):
        found = given
    elif isinstance(given, str | os.PathLike):
        found = load_responses(file_of(given))
    else:
        found = responses_from_frame(as_frame(given, noun=Responses.noun), source="the table given")
    found = found if of is None else of_scored(found, of)
    return found if samples else refuse_samples(found)


def load_responses(source: str | Path, *, columns: Mapping[str, str] | None = None) -> Responses:
    """Read responses from a table, an AlpacaEval file, or a folder of ``POLICY/model_outputs.json``.

    Where the table has no ``prompt_id``, ids are made from the prompts (:func:`prompt_ids`), so that
    the same prompt gets the same id whichever policy answered it. Columns under the names of other tools (``model``, ``instruction``,
    ``output``: docs/data-formats.md) are read as ours, which a :class:`~charm_rm.errors.ReadingNote` tells.

    Args:
        source: the table, folder or pattern.
        columns: which column holds which field (``{"policy": "model"}``), where names do not tell.

    Raises:
        UnreadableFile: there is nothing readable at ``source``.
        SchemaError: columns are missing, or (prompt_id, policy) repeats and no column ``sample`` tells the rows apart.
    """
    path = Path(source)
    if path.is_dir() and not is_dataset(path) and _alpaca_eval_files(path):
        return _load_folder(path)
    frame = read_conversations(path, noun=Responses, texts=(columns or {}).values())
    payload = payload_of(path)
    if kind_of(path) == "parquet" and set(frame.columns) >= _NEEDED:
        return _responses(frame, source=str(path), provenance=payload.get("provenance", {}))
    return responses_from_frame(frame, source=str(path), columns=columns)


def responses_from_frame(
    frame: pl.DataFrame, *, source: str, columns: Mapping[str, str] | None = None
) -> Responses:
    """Make responses of a frame in our columns or other tools'; ``source`` says where it came from. ``columns`` as :func:`load_responses`."""
    if set(_ALPACA_EVAL) <= set(frame.columns) and "prompt" not in frame.columns:
        if twice := [new for new in _ALPACA_EVAL.values() if new in frame.columns]:
            old = next(o for o, new in _ALPACA_EVAL.items() if new == twice[0])
            raise SchemaError(
                f"responses: has both {old!r}, AlpacaEval's name, and {twice[0]!r}",
                where=source,
                fix="keep one of the two columns",
            )
        frame = frame.rename(_ALPACA_EVAL)
    frame = _in_our_columns(frame, columns or {}, source)
    return _responses(frame, source=source, provenance={"verb": "load_responses", **source_record(source)})


def _in_our_columns(frame: pl.DataFrame, given: Mapping[str, str], source: str) -> pl.DataFrame:
    """The frame with its fields under our names; an error names the option that helps."""
    fields = ("policy", "prompt_id", "prompt", "response", *(["sample"] if "sample" in given else []))
    notes: list[str] = []
    with naming(source):
        frame = with_inner_rows(frame, ("policy", "response"), notes)
        found = columns_of(frame, fields, given, noun=Responses.noun, table=Responses.noun)
        found = preferring_texts(found, given)
        missing = [f for f in ("policy", "prompt", "response") if f not in found]
        if missing:
            raise SchemaError(
                f"responses: column {listing(missing)} is missing; found {listing(frame.columns, limit=20)}."
                + did_you_mean(missing[0], [c for c in frame.columns if c not in found.values()]),
                fix="say which column it is: " + " ".join(option(f, table=Responses.noun) for f in missing),
            )
    notes += [words for words in [told(found)] if words]
    if notes:
        warnings.warn(f"{source}: {'; '.join(notes)}", ReadingNote, stacklevel=4)
    return renamed(frame, found)


def _responses(frame: pl.DataFrame, *, source: str, provenance: Mapping[str, Any]) -> Responses:
    with naming(source):
        frame = with_kinds(frame, {"prompt_id": TEXT, "policy": TEXT}, noun=Responses.noun)
        if "prompt" in frame.columns:
            frame = _with_prompts(frame, source)
        if "response" in frame.columns:
            frame = _with_response_texts(frame, source)
        if "prompt_id" not in frame.columns and {"prompt", "policy"} <= set(frame.columns):
            frame = frame.with_columns(prompt_ids(frame))
        if {"prompt_id", "prompt"} <= set(frame.columns):
            _check_ids(frame)
        return Responses(frame, provenance=provenance)


def sample_instructions(
    responses: ResponsesLike,
    *,
    n: int | None,
    seed: int = 0,
    policies: Sequence[str] | None = None,
    complete: bool = True,
) -> Responses:
    """Pick ``n`` prompts at random (None: all), with the chosen policies' responses to them.

    With ``complete`` only prompts that every chosen policy answered are picked from; how many were left out is
    a :class:`CharmWarning` and in the provenance. The same seed with a smaller ``n`` picks a subset, whatever the
    order of the rows.

    Raises:
        UnknownPolicy: a chosen policy has no responses.
        NoOverlap: there are fewer than ``n`` prompts to pick from.
    """
    responses = as_responses(responses, samples=True)
    frame = _of_policies(responses, policies)
    answered = frame.group_by("prompt_id").agg(len=pl.col("policy").n_unique())
    wanted = frame["policy"].n_unique() if complete else 1
    eligible = sorted(answered.filter(pl.col("len") >= wanted)["prompt_id"].to_list())
    left_out = answered.height - len(eligible)
    n = len(eligible) if n is None else n
    if not 1 <= n <= len(eligible):
        raise NoOverlap(
            f"{n} prompts asked for, {len(eligible)} to pick from"
            + (f" ({left_out} more were not answered by every policy)" if left_out else ""),
            fix="ask for fewer prompts or policies" + (", or allow incomplete prompts" if left_out else ""),
        )
    if left_out:
        warnings.warn(
            f"{left_out} of {answered.height} prompts left out: not every chosen policy answered them",
            CharmWarning,
            stacklevel=2,
        )
    order = np.random.default_rng(seed).permutation(len(eligible))[:n]
    picked = frame.filter(pl.col("prompt_id").is_in([eligible[i] for i in order]))
    how = {"verb": "sample_instructions", "n": n, "seed": seed, "prompts_left_out": left_out}
    return Responses(picked, provenance={**how, "of": dict(responses.provenance)})


def split_prompts(
    responses: ResponsesLike, *, test_fraction: float, seed: int = 0
) -> tuple[Responses, Responses]:
    """Split into (train, test) by prompt: no prompt text is on both sides.

    Prompts are ranked by a hash of seed and text and the first ``test_fraction`` of them are the test side, so
    the split depends on neither row order nor policies.

    Raises:
        ConfigError: ``test_fraction`` leaves a side empty.
    """
    responses = as_responses(responses, samples=True)
    frame = responses.frame.with_columns(
        pl.Series("_text", [prompt_hash(p) for p in responses.frame["prompt"].to_list()])
    )
    texts = sorted(frame["_text"].unique().to_list(), key=lambda t: _sha256(f"{seed}:{t}"))
    n_test = round(test_fraction * len(texts))
    if not 0 < n_test < len(texts):
        raise ConfigError(
            f"test_fraction {test_fraction:g} of {len(texts)} prompts leaves one side empty",
            fix="choose a fraction between 0 and 1 that gives each side a prompt",
        )
    is_test = pl.col("_text").is_in(texts[:n_test])
    how = {"verb": "split_prompts", "test_fraction": test_fraction, "seed": seed}
    train, test = (
        Responses(
            frame.filter(side).drop("_text"),
            provenance={**how, "side": name, "of": dict(responses.provenance)},
        )
        for name, side in (("train", ~is_test), ("test", is_test))
    )
    return train, test


def count_empty(responses: ResponsesLike) -> pl.DataFrame:
    """Empty (or blank) responses per policy: allowed, but worth knowing. Columns policy, n, empty."""
    responses = as_responses(responses, samples=True)
    blank = pl.col("response").str.strip_chars() == ""
    return (
        responses.frame.group_by("policy").agg(pl.len().alias("n"), blank.sum().alias("empty")).sort("policy")
    )


# --- details ------------------------------------------------------------------------------------


def _alpaca_eval_files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*/{ALPACA_EVAL_FILE}")) or sorted(folder.glob(ALPACA_EVAL_FILE))


def _load_folder(folder: Path) -> Responses:
    files = _alpaca_eval_files(folder)
    frames = [responses_from_frame(_alpaca_eval_frame(f), source=str(f)).frame for f in files]
    try:
        return responses_from_frame(pl.concat(frames, how="diagonal_relaxed"), source=str(folder))
    except pl.exceptions.PolarsError as error:
        raise SchemaError(
            f"the files do not stack: {error}", where=str(folder), fix="give all files the same columns"
        ) from error


def _alpaca_eval_frame(path: Path) -> pl.DataFrame:
    frame = read_conversations(path, noun=Responses)
    if "generator" in frame.columns:
        return frame
    return frame.with_columns(pl.lit(path.parent.name).alias("generator"))


def _of_policies(responses: Responses, policies: Sequence[str] | None) -> pl.DataFrame:
    if policies is None:
        return responses.frame
    known = responses.policies
    for name in policies:
        if name not in known:
            raise UnknownPolicy(
                f"no responses of policy {name!r}.{near_policies(name, known)}", fix="check the policy's name"
            )
    return responses.frame.filter(pl.col("policy").is_in(list(policies)))


def _with_prompts(frame: pl.DataFrame, source: str) -> pl.DataFrame:
    """Prompts are text, or non-empty lists of messages; one column holds one of both."""
    prompts = [
        _read(p, "prompt", f"{source}: responses, row {row}")
        for row, p in enumerate(frame["prompt"].to_list())
    ]
    return frame.with_columns(uniform_prompts(prompts))


def _with_response_texts(frame: pl.DataFrame, source: str) -> pl.DataFrame:
    """A response given as one message of the assistant is that message's text."""
    if not (frame["response"].dtype.is_nested() or frame["response"].dtype == pl.Object):
        return frame
    texts = []
    for row, response in enumerate(frame["response"].to_list()):
        where = f"{source}: responses, row {row}"
        value = None if response is None else _read(response, "response", where)
        if isinstance(value, list):
            if len(value) != 1 or value[0]["role"] != "assistant":
                raise SchemaError(
                    f"response should be text, or one message of the assistant, found {str(response)[:80]!r}",
                    where=where,
                    fix="put all turns but the last into the prompt",
                )
            value = value[0]["content"]
        texts.append(value)
    return frame.with_columns(pl.Series("response", texts, dtype=pl.String))


def _read(value: Any, column: str, where: str) -> Any:
    """Text, or messages in our words."""
    if isinstance(value, str):
        return value
    try:
        messages = as_conversation(value) if isinstance(value, list) else None
    except SchemaError as error:
        error.where = where
        raise
    if messages is None:
        raise SchemaError(
            f"{column} should be text or a list of {{role, content}} messages, found {str(value)[:80]!r}",
            where=where,
            fix=f"convert the {column}s; give every message a role and a content",
        )
    return messages


def _check_ids(frame: pl.DataFrame) -> None:
    """One prompt_id stands for one prompt."""
    first: dict[Any, str] = {}
    rows = zip(frame["prompt_id"].to_list(), frame["prompt"].to_list(), strict=True)
    for row, (name, prompt) in enumerate(rows):
        if first.setdefault(name, prompt_hash(prompt)) != prompt_hash(prompt):
            raise SchemaError(
                f"prompt_id {name!r} stands for two different prompts",
                where=f"responses, row {row}",
                fix="give different prompts different ids, or drop the column and let charm make them",
            )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
