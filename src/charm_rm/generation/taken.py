"""Outputs that policies have given already, taken as they are: ``outputs:PATH``."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import polars as pl

from ..conversations import prompt_hash
from ..errors import CharmWarning, ConfigError, NoOverlap, counted, listing
from ..responses import load_responses
from ..tables import Responses
from .marks import with_marks


@dataclass(frozen=True, eq=False)
class Taken:
    """One policy's outputs to the prompts asked for: ``frame`` as in :class:`~.run.Generated`; ``others`` outputs were to other prompts."""

    name: str
    source: str
    frame: pl.DataFrame
    others: int
    missing: int


def take_outputs(path: str, prompts: pl.DataFrame, *, name: str | None = None) -> list[Taken]:
    """Read outputs (an AlpacaEval file or folder, JSONL, Parquet, CSV) and keep those to these prompts, by the prompts' texts.

    Args:
        path: the file or folder.
        prompts: prompt_id and prompt.
        name: what the policy is called; None: as its outputs say.

    Raises:
        UnreadableFile, SchemaError: as :func:`charm_rm.load_responses`.
        ConfigError: ``name`` is given, and there are several policies.
        NoOverlap: a policy answered none of the prompts.
    """
    responses = load_responses(path)
    if name is not None and len(responses.policies) > 1:
        raise ConfigError(
            f"holds outputs of {counted(len(responses.policies), 'policy', 'policies')}: {listing(responses.policies)}",
            where=path,
            fix=f"leave out {name!r}: each keeps its own name",
        )
    return [
        _taken(responses, policy, prompts, name=name or policy, path=path) for policy in responses.policies
    ]


def _taken(responses: Responses, policy: str, prompts: pl.DataFrame, *, name: str, path: str) -> Taken:
    mine = _keyed(responses.frame.filter(pl.col("policy") == policy))
    wanted = _keyed(prompts).select(
        "_hash", "_nth", "prompt_id", "prompt", pl.int_range(pl.len()).alias("_row")
    )
    has_samples = "sample" in mine.columns
    rows = wanted.join(
        mine.select("_hash", "_nth", "response", *_kept(mine)), on=["_hash", "_nth"], how="inner"
    ).sort("_row", "sample" if has_samples else "_row")
    if not rows.height:
        raise NoOverlap(
            f"none of its {counted(mine.height, 'output')} is to one of these prompts",
            where=f"policy {name!r} ({path})",
            fix="check that the prompts are the same, word for word",
        )
    frame = rows.with_columns(
        pl.lit(name).alias("policy"),
        *([] if has_samples else [pl.lit(0, pl.Int64).alias("sample")]),
    )
    frame = _with_columns(frame).select(
        "prompt_id", "prompt", "policy", "response", "sample", "finish_reason", "n_tokens"
    )
    others, missing = mine.height - rows.height, prompts.height - rows["prompt_id"].n_unique()
    if missing or others:
        warnings.warn(
            f"policy {name!r} ({path}): {counted(missing, 'prompt')} without an output, {counted(others, 'output')} to other "
            "prompts left out",
            CharmWarning,
            stacklevel=4,
        )
    return Taken(name, path, with_marks(frame), others, missing)


def _keyed(frame: pl.DataFrame) -> pl.DataFrame:
    """With the hash of the prompt's text, and which of several equal prompts it is."""
    hashes = pl.Series("_hash", [prompt_hash(p) for p in frame["prompt"].to_list()], dtype=pl.String)
    told = ["sample"] if "sample" in frame.columns else []
    return frame.with_columns(hashes).with_columns(pl.int_range(pl.len()).over("_hash", *told).alias("_nth"))


_OPTIONAL = {"finish_reason": pl.String, "n_tokens": pl.Int64, "sample": pl.Int64}


def _kept(frame: pl.DataFrame) -> list[str]:
    """What outputs say besides their texts, where they say it in our words."""
    return [
        name
        for name, dtype in _OPTIONAL.items()
        if name in frame.columns
        and (frame[name].dtype == pl.String if dtype == pl.String else frame[name].dtype.is_integer())
    ]


def _with_columns(frame: pl.DataFrame) -> pl.DataFrame:
    """With every column, null where the outputs do not tell."""
    return frame.with_columns(
        (pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype)).alias(name)
        for name, dtype in _OPTIONAL.items()
    )
