"""Scoring whole tables of responses: each text once, across runs too, and the same after any kill.

A score lies in the store (:mod:`charm_rm.memo`) under a hash of model, numerics, layout and *text*, so what was
scored before needs no tokenising either. How a killed run comes to the same bytes is told in :mod:`.journal`, how
batches are made and computed in :mod:`.engine`.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ...errors import ModelError
from ...memo import Memo, content_key
from ...protocols import Prompt, ScalarReward
from ...provenance import source_name
from ...responses import ResponsesLike, as_responses
from ...samples import own_key
from ...style import CalibratedReward, apply_calibrator, uncalibrated
from ...tables import Responses, Scores, as_messages
from ...text_hash import text_hashes
from ..loading.lineage import anchored_on
from .engine import run_batches
from .finishing import check_finite, warn_truncated, warn_unread_systems
from .journal import Journal, Row
from .local import LocalReward
from .progress import Progress
from .shortening import in_chunks
from .windows import WindowedBatches

# How many responses a model that does not run here is given at once, where it does not say.
CHUNK_SIZE = 64


def score_responses(
    model: ScalarReward,
    responses: ResponsesLike,
    *,
    token_budget: int | None = None,
    progress: bool = True,
    memo: str | Path | None = None,
) -> Scores:
    """Score every response; of a model that runs here (:class:`~.local.LocalReward`) the result has ``n_tokens`` and ``truncated`` per row.

    ``text_hash`` says of each row which text was scored.

    Args:
        model: what :func:`~.reward.load_reward_model` gave, or any other :class:`~charm_rm.protocols.ScalarReward`. Of a calibrated one
            the model's own scores lie in the store, and what the calibrator adds is added afterwards.
        responses: one response per prompt and policy, or several, which a column ``sample`` tells apart; the scores keep it.
        token_budget: tokens per batch, padding included; default: a sane number for the device.
        progress: say rows, tokens per second and time left on standard error.
        memo: a store (:mod:`charm_rm.memo`). What is in it is not scored again; what is scored goes into it, so
            that a call that was killed goes on. None: a store in memory, for this call alone.

    Raises:
        ModelError: a score is not finite (the message names prompts and policies), or a row does not fit into memory.
        CharmWarning: (as a warning) some texts were truncated, or memory ran out and batches became smaller.
    """
    responses = as_responses(responses, samples=True)
    model, calibrator = uncalibrated(model)
    frame = responses.frame
    scored = score_texts(
        model,
        frame["prompt"].to_list(),
        frame["response"].to_list(),
        token_budget=token_budget,
        progress=progress,
        memo=memo,
        names=[f"({', '.join(map(str, row))})" for row in frame.select(own_key(frame)).iter_rows()],
    )
    table = frame.select(own_key(frame)).with_columns(pl.Series("score", scored.values))
    if scored.n_tokens is not None and scored.truncated is not None:
        table = table.with_columns(
            pl.Series("n_tokens", scored.n_tokens, dtype=pl.Int64),
            pl.Series("truncated", scored.truncated, dtype=pl.Boolean),
        )
    table = table.with_columns(text_hashes(responses))
    scores = Scores(table, provenance=_provenance(model, responses, scored))
    return scores if calibrator is None else apply_calibrator(scores, calibrator, responses)


@dataclass(frozen=True, eq=False)
class ScoredTexts:
    """Scores in the order of the texts, and how they came about.

    ``n_tokens`` and ``truncated`` are the tokens that each was read as and whether text was cut off; None for models that
    do not run here. ``from_store`` counts the rows that another run had scored before, ``padding_share`` is the
    share of padding among the tokens computed.
    """

    values: NDArray[np.float64]
    n_tokens: list[int] | None = None
    truncated: list[bool] | None = None
    from_store: int = 0
    token_budget: int | None = None
    padding_share: float | None = None


def score_texts(
    model: ScalarReward,
    prompts: Sequence[Prompt],
    responses: Sequence[str],
    *,
    token_budget: int | None = None,
    progress: bool = True,
    memo: str | Path | None = None,
    names: Sequence[str] | None = None,
) -> ScoredTexts:
    """Score each response to its prompt: as calling the model does, resumable, each text once.

    ``names`` are what a message calls the rows; the rest, errors too, is as in :func:`score_responses`.
    """
    if isinstance(model, CalibratedReward):
        how: dict[str, Any] = {
            "token_budget": token_budget,
            "progress": progress,
            "memo": memo,
            "names": names,
        }
        scored = score_texts(model.scorer, prompts, responses, **how)
        return replace(scored, values=scored.values + model.adjust(prompts, responses))
    identity = content_key(_identity(model))
    # A model that runs here reads bare text as one user turn; what another makes of it is its own affair.
    read = as_messages if isinstance(model, LocalReward) else _as_given
    keys = [content_key(identity, read(p), r) for p, r in zip(prompts, responses, strict=True)]
    row_of = {key: i for i, key in reversed(list(enumerate(keys)))}
    texts = {key: (prompts[i], responses[i]) for key, i in row_of.items()}
    budget = _budget(model, token_budget)
    with Memo.open(memo) as opened:
        journal = Journal(opened, list(dict.fromkeys(keys)), request=[identity, budget])
        run = _start(model, journal, texts, budget)
        copies = Counter(keys)
        with _progress(journal, texts, copies, show=progress) as bar, contextlib.closing(run.rows()) as new:
            for rows, limit in new:
                _check(rows, row_of, source=model.source, names=names)
                journal.add(rows, limit=limit)
                bar.advance(
                    sum(copies[key] for key in rows),
                    sum(_size(*texts[key]) for key in rows),
                    tokens=sum(row.n_tokens or 0 for row in rows.values()),
                )
    if isinstance(model, LocalReward):
        warn_truncated([bool(journal.rows[key].truncated) for key in keys], model.max_length)
        warn_unread_systems(model, prompts)
    return run.result(keys)


# --- models that run here, and all others ---------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _LocalRun:
    """Scoring by a model that runs here: in planned batches."""

    model: LocalReward
    journal: Journal
    plan: WindowedBatches

    def rows(self) -> Generator[tuple[dict[str, Row], int | None]]:
        """New rows, batch by batch, and the token budget where memory made it smaller."""
        budget = self.plan.token_budget
        batches = run_batches(self.model, self.plan.batches(), token_budget=budget, limit=self.journal.limit)
        with contextlib.closing(batches) as parts:
            for done in parts:
                batch = zip(done.batch.keys, done.batch.rows, done.values, strict=True)
                rows = {key: Row(float(score), len(row), row.truncated) for key, row, score in batch}
                yield rows, done.limit if done.limit < budget else None

    def result(self, keys: Sequence[str]) -> ScoredTexts:
        """The scores in order, with tokens, truncation and padding."""
        rows = [self.journal.rows[key] for key in keys]
        return ScoredTexts(
            _values(rows),
            n_tokens=[row.n_tokens or 0 for row in rows],
            truncated=[bool(row.truncated) for row in rows],
            from_store=sum(key in self.journal.others for key in keys),
            token_budget=self.plan.token_budget,
            padding_share=self.plan.padding_share,
        )


@dataclass(frozen=True, eq=False)
class _AskedRun:
    """Scoring by whatever else gives rewards, a server or a function: asked in chunks."""

    model: ScalarReward
    journal: Journal
    texts: Mapping[str, tuple[Prompt, str]]

    def rows(self) -> Generator[tuple[dict[str, Row], None]]:
        """New rows, chunk by chunk."""
        missing = [key for key in self.journal.planned if key not in self.journal.rows]
        for keys in in_chunks(missing, max(1, int(getattr(self.model, "chunk_size", CHUNK_SIZE)))):
            texts = [self.texts[key] for key in keys]
            given = self.model([p for p, _ in texts], [r for _, r in texts])
            values = np.asarray(given, dtype=np.float64)
            if values.shape != (len(keys),):
                raise ModelError(
                    f"gave rewards of shape {values.shape} for {len(keys)} responses",
                    where=self.model.source,
                    fix="it must return one number per response, in order",
                )
            yield {key: Row(value) for key, value in zip(keys, values.tolist(), strict=True)}, None

    def result(self, keys: Sequence[str]) -> ScoredTexts:
        """The scores in order."""
        rows = [self.journal.rows[key] for key in keys]
        return ScoredTexts(_values(rows), from_store=sum(key in self.journal.others for key in keys))


def _start(
    model: ScalarReward, journal: Journal, texts: Mapping[str, tuple[Prompt, str]], budget: int | None
) -> _LocalRun | _AskedRun:
    if isinstance(model, LocalReward) and budget is not None:
        return _LocalRun(model, journal, WindowedBatches(model, journal, texts, token_budget=budget))
    return _AskedRun(model, journal, texts)


# --- details ------------------------------------------------------------------------------------


def _budget(model: ScalarReward, asked: int | None) -> int | None:
    """Tokens per batch; None for models that do not run here."""
    if not isinstance(model, LocalReward):
        return None
    return model.token_budget if asked is None else asked


def _identity(model: ScalarReward) -> list[Any]:
    """All that decides a score besides the texts."""
    if isinstance(model, LocalReward):
        return ["score", model.fingerprint, dict(model.numerics), model.layout, model.max_length]
    return ["reward", model.fingerprint]


def _as_given(prompt: Prompt) -> Any:
    return prompt if isinstance(prompt, str) else [dict(m) for m in prompt]


def _check(
    rows: Mapping[str, Row], row_of: Mapping[str, int], *, source: str, names: Sequence[str] | None
) -> None:
    """Refuse scores that are not finite before they are kept."""
    where = sorted((row_of[key], row.score) for key, row in rows.items())
    shown = [names[i] if names else f"row {i}" for i, _ in where]
    check_finite(np.array([score for _, score in where]), source=source, names=shown)


def _values(rows: Sequence[Row]) -> NDArray[np.float64]:
    return np.array([row.score for row in rows], dtype=np.float64)


def _progress(
    journal: Journal, texts: Mapping[str, tuple[Prompt, str]], copies: Mapping[str, int], *, show: bool
) -> Progress:
    """Rows are counted as they stand in the table; time goes by the texts, which are scored once each."""
    missing = [key for key in journal.planned if key not in journal.rows]
    rows, size = sum(copies[key] for key in missing), sum(_size(*texts[key]) for key in missing)
    known = sum(copies.values()) - rows
    return Progress(rows=rows, texts=len(missing), size=size, from_store=known, show=show)


def _size(prompt: Prompt, response: str) -> int:
    """Characters, as tokens are not known before the end."""
    return len(response) + (
        len(prompt) if isinstance(prompt, str) else sum(len(m["content"]) for m in prompt)
    )


def _provenance(model: ScalarReward, responses: Responses, scored: ScoredTexts) -> dict[str, Any]:
    about = {
        "verb": "score_responses",
        "rm": source_name(model.source),
        "rm_fingerprint": model.fingerprint,
        "from_store": scored.from_store,
        "responses": dict(responses.provenance),
    }
    if not isinstance(model, LocalReward):
        return about
    if anchored := anchored_on(model.source):
        about["anchored_on"] = anchored
    return about | {
        **model.numerics,
        "layout": model.layout,
        "max_length": model.max_length,
        "token_budget": scored.token_budget,
        "padding_share": round(scored.padding_share or 0.0, 6),
        "truncated": sum(scored.truncated or ()),
    }
