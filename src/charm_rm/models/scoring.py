"""Scoring whole tables of responses: each text once, in batches of similar length, resumable.

Batches are planned over all texts before any is scored, and a batch is either wholly in the checkpoint or
scored anew. A run that was killed and goes on therefore scores the very same batches as one that was not.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import CharmError, UnreadableFile, WriteFailed
from ..protocols import Prompt
from ..tables import Responses, Scores
from .batching import plan_batches
from .encoding import Encoded
from .reward import RewardModel, check_finite, warn_truncated

if TYPE_CHECKING:
    from collections.abc import Callable

_SYNC_SECONDS = 2.0


def score_responses(
    model: RewardModel,
    responses: Responses,
    *,
    token_budget: int | None = None,
    progress: bool = True,
    checkpoint: str | Path | None = None,
) -> Scores:
    """Score every response; the result has ``n_tokens`` and ``truncated`` per row.

    Args:
        model: what :func:`~.reward.load_reward_model` gave.
        responses: at most one response per prompt and policy.
        token_budget: tokens per batch, padding included; default: a sane number for the device.
        progress: show a bar with tokens per second on standard error.
        checkpoint: a file to which scores are appended as they come. A later call with the same model and
            texts takes them from there and goes on; delete it when the result is safe.

    Raises:
        ModelError: a score is not finite; the message names prompts and policies.
        CharmWarning: (as a warning) some texts were truncated.
    """
    frame = responses.frame
    scored = score_texts(
        model,
        frame["prompt"].to_list(),
        frame["response"].to_list(),
        token_budget=token_budget,
        progress=progress,
        checkpoint=checkpoint,
        names=[f"({i}, {p})" for i, p in frame.select("prompt_id", "policy").iter_rows()],
    )
    table = frame.select("prompt_id", "policy").with_columns(
        pl.Series("score", scored.values),
        pl.Series("n_tokens", scored.n_tokens),
        pl.Series("truncated", scored.truncated),
    )
    return Scores(table, provenance=_provenance(model, responses) | {"truncated": sum(scored.truncated)})


@dataclass(frozen=True, eq=False)
class ScoredTexts:
    """Scores in the order of the texts, the tokens that each was read as, and whether some were cut off."""

    values: NDArray[np.float64]
    n_tokens: list[int]
    truncated: list[bool]


def score_texts(
    model: RewardModel,
    prompts: Sequence[Prompt],
    responses: Sequence[str],
    *,
    token_budget: int | None = None,
    progress: bool = True,
    checkpoint: str | Path | None = None,
    names: Sequence[str] | None = None,
) -> ScoredTexts:
    """Score each response to its prompt: as calling the model does, with a bar, resumable, texts told apart once.

    ``names`` are what a message calls the rows; the rest is as in :func:`score_responses`.

    Raises:
        ModelError: a score is not finite.
        CharmWarning: (as a warning) some texts were truncated.
    """
    pairs = zip(prompts, responses, strict=True)
    tracked = _tracked(pairs, total=len(responses), title="encoding", show=progress)
    encoded = [model.encoder.encode(p, r) for p, r in tracked]
    warn_truncated(encoded, model.encoder.max_length)
    values = score_encoded(
        model, encoded, token_budget=token_budget, progress=progress, checkpoint=checkpoint
    )
    check_finite(values, source=model.source, names=names)
    return ScoredTexts(values, [len(e) for e in encoded], [e.truncated for e in encoded])


def score_encoded(
    model: RewardModel,
    encoded: Sequence[Encoded],
    *,
    token_budget: int | None = None,
    progress: bool = False,
    checkpoint: str | Path | None = None,
) -> NDArray[np.float64]:
    """Score encoded rows in their order; rows with identical tokens are scored once."""
    keys = [_key(model, e) for e in encoded]
    distinct = dict(zip(keys, encoded, strict=True))
    names, rows = list(distinct), list(distinct.values())
    batches = plan_batches([len(e) for e in rows], token_budget=token_budget or model.token_budget)
    with _Checkpoint.open(checkpoint) as done, _token_bar(sum(map(len, rows)), show=progress) as advance:
        for batch in batches:
            batch_names = [names[i] for i in batch]
            if not all(name in done.scores for name in batch_names):
                scored = model.score_batch([rows[i] for i in batch])
                done.add(dict(zip(batch_names, scored.tolist(), strict=True)))
            advance(sum(len(rows[i]) for i in batch))
        return np.array([done.scores[key] for key in keys], dtype=np.float64)


class _Checkpoint:
    """Scores by key, in memory and appended to a JSONL file that survives a kill.

    Each line is one score. A last line without its line end is a write that was cut short and is removed.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.scores: dict[str, float] = {}
        self._synced = time.monotonic()
        self._file = None
        if path is not None:
            self.scores = _read_checkpoint(path)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._file = path.open("a", encoding="utf-8")
            except OSError as error:
                raise _cannot_write(path, error) from error

    @classmethod
    @contextmanager
    def open(cls, path: str | Path | None) -> Iterator[_Checkpoint]:
        opened = cls(None if path is None else Path(path))
        try:
            yield opened
        finally:
            if opened._file is not None:
                opened._file.close()

    def add(self, scores: Mapping[str, float]) -> None:
        """Keep a batch's scores; they reach the disk every few seconds at the latest."""
        self.scores.update(scores)
        if self._file is None or self.path is None:
            return
        try:
            self._file.writelines(json.dumps({"key": k, "score": v}) + "\n" for k, v in scores.items())
            self._file.flush()
            if time.monotonic() - self._synced > _SYNC_SECONDS:
                os.fsync(self._file.fileno())
                self._synced = time.monotonic()
        except OSError as error:
            raise _cannot_write(self.path, error) from error


def _read_checkpoint(path: Path) -> dict[str, float]:
    if not path.exists():
        return {}
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.truncate(path, len(whole))
    try:
        rows = [json.loads(line) for line in whole.splitlines()]
        return {row["key"]: float(row["score"]) for row in rows}
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableFile(
            "is not a scoring checkpoint", where=str(path), mend="delete it to score from the start"
        ) from error


def _cannot_write(path: Path, error: OSError) -> CharmError:
    return WriteFailed(
        f"writing failed: {error.strerror or error}; what was written before stays and is taken up again",
        where=str(path),
        mend="free disk space or check permissions, then run again",
    )


def _key(model: RewardModel, encoded: Encoded) -> str:
    """Hash of all that decides a score: the model's files, its precision, the tokens."""
    ids = np.asarray(encoded.input_ids, dtype=np.int64)
    types = np.asarray(encoded.token_type_ids or [], dtype=np.int64)
    core = f"{model.fingerprint}|{model.dtype}|".encode() + ids.tobytes() + b"|" + types.tobytes()
    return hashlib.sha256(core).hexdigest()[:32]


def _provenance(model: RewardModel, responses: Responses) -> dict[str, Any]:
    return {
        "verb": "score_responses",
        "rm": model.source,
        "rm_fingerprint": model.fingerprint,
        "dtype": model.dtype,
        "layout": model.encoder.layout,
        "max_length": model.encoder.max_length,
        "responses": dict(responses.provenance),
    }


# --- progress -----------------------------------------------------------------------------------


def _tracked(items: Iterable[Any], *, total: int, title: str, show: bool) -> Iterator[Any]:
    from rich.console import Console
    from rich.progress import track

    console = Console(file=sys.stderr)
    return iter(
        track(items, total=total, description=title, console=console, disable=not show, transient=True)
    )


@contextmanager
def _token_bar(total: int, *, show: bool) -> Iterator[Callable[[int], None]]:
    """A bar that counts tokens, with speed and time left; yields the function that advances it."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Speed(ProgressColumn):
        def render(self, task: Any) -> Text:
            return Text(f"{task.speed:,.0f} tokens/s" if task.speed else "")

    bar = Progress(
        TextColumn("scoring"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        Speed(),
        TimeRemainingColumn(),
        console=Console(file=sys.stderr),
        disable=not show,
    )
    with bar:
        task = bar.add_task("scoring", total=total)
        yield lambda tokens: bar.advance(task, tokens)
