"""Responses: read them, sample prompts, split prompts into train and test."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from ... import store
from ...errors import counted
from ...provenance import source_record
from ...responses import sample_instructions, split_prompts
from ...settings import ResponsesSettings, TableSettings
from ...tables import Responses
from ..config import GENERATED

if TYPE_CHECKING:
    from ..run import Run


def read_responses(settings: ResponsesSettings, *, seed: int, complete: bool = True) -> Responses:
    """The responses asked for; ``complete``: of prompts that every policy answered, and no others."""
    return sample_instructions(
        _read(settings.source, settings.split, TableSettings(columns=settings.columns).fields("responses")),
        n=settings.n_prompts,
        seed=seed,
        policies=settings.policies,
        complete=complete,
    )


def _read(source: str | tuple[str, ...], split: str | None, columns: dict[str, str]) -> Responses:
    from ...models import load_any_responses

    if isinstance(source, str):
        return load_any_responses(source, split=split, columns=columns)
    parts = [load_any_responses(one, split=split, columns=columns) for one in source]
    frame = pl.concat([p.frame for p in parts], how="diagonal_relaxed")
    if "sample" in frame.columns:  # of a source without the column each response is the only one
        frame = frame.with_columns(pl.col("sample").fill_null(0))
    records = [source_record(one) for one in source]
    return Responses(frame, provenance={"verb": "load_responses", "sources": records})


def run_stage(run: Run) -> str:
    """Read responses, sample prompts, split them."""
    section, seed = run.config.responses, run.config.seed
    if run.config.generates:
        section = replace(section, source=str(run.directory / GENERATED))
    responses = read_responses(section, seed=seed)
    train, test = split_prompts(responses, test_fraction=section.test_fraction, seed=seed)
    prompts = pl.concat(
        side.frame.select("prompt_id").unique(maintain_order=True).with_columns(split=pl.lit(name))
        for name, side in (("train", train), ("test", test))
    )
    run.save(responses, "responses.parquet")
    store.write_frame(prompts, run.directory / "prompts.parquet", force=True)
    n_test = prompts.filter(pl.col("split") == "test").height
    return f"{counted(len(responses.policies), 'policy', 'policies')} x {counted(prompts.height, 'prompt')}: {prompts.height - n_test} train, {n_test} test"
