"""The prompts to answer, and what a policy is asked: a prompt with the policy's system prompt."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from ..conversations import as_conversation, prompt_hash, prompt_ids, uniform_prompts
from ..errors import CharmWarning, ReadingNote, SchemaError, counted
from ..protocols import Prompt
from ..reading.resolve import columns_of, option, preferring_texts, renamed, told
from ..store import naming, read_conversations
from ..tables import TEXT, Responses, with_kinds

NOUN = "prompts"


def load_prompts(source: str | Path, *, columns: Mapping[str, str] | None = None) -> pl.DataFrame:
    """Read prompts from any table that has them: Parquet, JSONL, CSV, JSON, a folder of such; responses and preference pairs, too.

    Args:
        source: the table.
        columns: which column holds which field (``{"prompt": "question"}``), where names do not tell.

    Returns:
        prompt_id and prompt (text, or messages), each prompt once, in the order of the file. Ids are made from the texts where the
        table has none.

    Raises:
        UnreadableFile: there is nothing readable at ``source``.
        SchemaError: there is no prompt, one that cannot be answered, or one id for two prompts.
    """
    frame = read_conversations(Path(source), noun=Responses, texts=(columns or {}).values())
    return prompts_from_frame(frame, source=str(source), columns=columns)


def prompts_from_frame(
    frame: pl.DataFrame, *, source: str, columns: Mapping[str, str] | None = None
) -> pl.DataFrame:
    """:func:`load_prompts` of a table that is read already; ``source`` says where it came from."""
    given = columns or {}
    with naming(source):
        found = columns_of(frame, ("prompt_id", "prompt"), given, noun=NOUN)
        found = preferring_texts(found, given)
        if "prompt" not in found:
            raise SchemaError(
                f"{NOUN}: column 'prompt' is missing; found {', '.join(map(repr, frame.columns[:20]))}",
                fix=f"say which column it is: {option('prompt')}",
            )
        if words := told(found):
            warnings.warn(f"{source}: {words}", ReadingNote, stacklevel=3)
        table = renamed(frame, found).select(list(found))
        if not table.height:
            raise SchemaError(f"{NOUN}: the table has no rows", fix="give a table with prompts")
        texts = [_checked(p, row) for row, p in enumerate(table["prompt"].to_list())]
        return _each_once(table.with_columns(uniform_prompts(texts)), source)


def with_system(prompt: Prompt, system: str | None) -> Prompt:
    """The prompt after a system prompt; where it begins with a system turn of its own, that follows, after a blank line."""
    if not system:
        return prompt
    turns = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else [dict(m) for m in prompt]
    if turns[0]["role"] == "system":
        system, turns = f"{system}\n\n{turns[0]['content']}", turns[1:]
    return [{"role": "system", "content": system}, *turns]


def prompt_length(prompt: Prompt) -> int:
    """Characters of all its turns."""
    return len(prompt) if isinstance(prompt, str) else sum(len(m["content"]) for m in prompt)


# --- details ------------------------------------------------------------------------------------


def _checked(value: Any, row: int) -> Any:
    """A prompt that can be answered: text, or messages of which the last is not the assistant's."""
    where = f"{NOUN}, row {row}"
    if isinstance(value, str):
        if value.strip():
            return value
        raise SchemaError("the prompt is empty", where=where, fix="drop this row")
    messages = as_conversation(value) if isinstance(value, list) else None
    if not messages:
        raise SchemaError(
            f"prompt should be text or a list of {{role, content}} messages, found {str(value)[:80]!r}",
            where=where,
            fix="convert the prompts; give every message a role and a content",
        )
    if messages[-1]["role"] == "assistant":
        raise SchemaError(
            "the prompt ends with a turn of the assistant, so there is nothing to answer",
            where=where,
            fix="leave out the last turn: it is a response",
        )
    return messages


def _each_once(frame: pl.DataFrame, source: str) -> pl.DataFrame:
    """One row a prompt: rows of one id are one prompt (of responses, each prompt is there once a policy)."""
    hashes = pl.Series("_hash", [prompt_hash(p) for p in frame["prompt"].to_list()], dtype=pl.String)
    if "prompt_id" not in frame.columns:
        ids = prompt_ids(frame.with_columns(hashes, policy=pl.lit("")))
        once = frame.with_columns(ids, hashes).unique("_hash", keep="first", maintain_order=True)
        if repeated := frame.height - once.height:
            warnings.warn(
                f"{source}: {counted(repeated, 'prompt')} of {frame.height:,} repeated; each is asked once",
                CharmWarning,
                stacklevel=4,
            )
        return once.select("prompt_id", "prompt")
    frame = with_kinds(frame, {"prompt_id": TEXT}, noun=NOUN).with_columns(hashes)
    if frame["prompt_id"].null_count():
        row = frame["prompt_id"].is_null().arg_true()[0]
        raise SchemaError(
            "prompt_id is missing",
            where=f"{NOUN}, row {row}",
            fix="give every prompt an id, or drop the column",
        )
    twice = (
        frame.group_by("prompt_id", maintain_order=True)
        .agg(n=pl.col("_hash").n_unique())
        .filter(pl.col("n") > 1)
    )
    if twice.height:
        raise SchemaError(
            f"prompt_id {twice['prompt_id'][0]!r} stands for two different prompts",
            where=NOUN,
            fix="give different prompts different ids, or drop the column and let charm make them",
        )
    return frame.unique("prompt_id", keep="first", maintain_order=True).select("prompt_id", "prompt")
