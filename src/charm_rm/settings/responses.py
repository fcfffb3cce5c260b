"""Settings of the responses that go in."""

from __future__ import annotations

from dataclasses import dataclass

from .definition import Settings, setting
from .table import column_setting


@dataclass(frozen=True, kw_only=True)
class ResponsesSettings(Settings):
    """What the policies answered (required)."""

    source: str | tuple[str, ...] = setting(
        about="Responses: Parquet, JSONL or CSV (prompt_id, prompt, policy, response), a `datasets` folder or hub id, "
        "or a list of AlpacaEval model_outputs.json files.",
        path="path or id",
    )
    columns: tuple[str, ...] = column_setting()
    policies: tuple[str, ...] | None = setting(
        None,
        "Use only this policy's responses; repeatable (default: all).",
        flags=("--policy",),
        metavar="POLICY",
    )
    n_prompts: int | None = setting(None, "Use a random sample of this many prompts (default: all).", least=1)
    split: str | None = setting(None, "Which split of a `datasets` folder or hub id.")
    test_fraction: float = setting(
        0.3,
        "Share of prompts kept for the audits before and after; the rest calibrate, relabel and train.",
        above=0,
        below=1,
    )


@dataclass(frozen=True, kw_only=True)
class RunResponsesSettings(ResponsesSettings):
    """What the policies answered; required, unless prompts and policies say who answers what."""

    source: str | tuple[str, ...] | None = setting(  # type: ignore[assignment]  # a run may make them itself
        None,
        ResponsesSettings.__dataclass_fields__["source"].metadata["description"],
        path="path or id",
    )
