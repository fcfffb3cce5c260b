"""Texts -> batches -> scores: tokenising beside computing, all devices busy, memory that runs out.

Texts are taken in windows, in their order. A thread tokenises and plans the next window while the devices
compute the one before. Each device has a thread that takes batches from the common plan; which device scores a
batch changes nothing in it.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError
from ...protocols import Prompt
from ..extras import require
from .batching import plan_batches, tokens_in
from .encoding import Encoded
from .journal import Journal
from .reward import Launched, RewardModel

# Texts per window: few at first, so that the devices soon have work; then many, as sorting them saves padding.
FIRST_WINDOW, WINDOW = 2048, 16384


@dataclass(frozen=True)
class Batch:
    """Rows to score in one go, longest first, and their keys."""

    keys: list[str]
    rows: list[Encoded]


@dataclass(frozen=True, eq=False)
class Scored:
    """A batch with its scores; ``limit`` is the token budget that memory allowed by then."""

    batch: Batch
    scores: NDArray[np.float64]
    limit: int


class Plan:
    """The batches of a run, window by window.

    ``texts`` are prompt and response by key. Once all batches were taken, ``padding_share`` is the share of
    padding among the tokens computed, batches of an earlier life of the run among them.
    """

    def __init__(
        self,
        model: RewardModel,
        journal: Journal,
        texts: Mapping[str, tuple[Prompt, str]],
        *,
        token_budget: int,
    ) -> None:
        self._model, self._journal, self._texts = model, journal, texts
        self.token_budget = token_budget
        self._tokens = self._computed = 0

    @property
    def padding_share(self) -> float:
        """Share of padding among the tokens computed."""
        return 1 - self._tokens / self._computed if self._computed else 0.0

    def batches(self) -> Generator[Batch]:
        """Batches that are not wholly known, in order; the next window is prepared in a thread meanwhile."""
        windows = deque(in_windows(self._journal.planned))
        with ThreadPoolExecutor(1, thread_name_prefix="charm-tokenise") as pool:
            ahead = pool.submit(self._prepare, windows.popleft()) if windows else None
            while ahead is not None:
                ready = ahead.result()
                ahead = pool.submit(self._prepare, windows.popleft()) if windows else None
                yield from ready

    def _prepare(self, keys: Sequence[str]) -> list[Batch]:
        known = self._journal.rows
        encoded = self._encoded([key for key in keys if key not in known])
        lengths = [len(encoded[key]) if key in encoded else known[key].n_tokens or 0 for key in keys]
        batches = []
        padded = not self._model.unpadded
        for rows in plan_batches(lengths, token_budget=self.token_budget, padded=padded):
            self._tokens += sum(lengths[i] for i in rows)
            self._computed += tokens_in([lengths[i] for i in rows], padded=padded)
            names = [keys[i] for i in rows]
            if any(name in encoded for name in names):
                # Batches are kept whole: some rows of one are known only where runs at the same time crossed.
                if others := [name for name in names if name not in encoded]:
                    encoded |= self._encoded(others)
                batches.append(Batch(names, [encoded[name] for name in names]))
        return batches

    def _encoded(self, keys: Sequence[str]) -> dict[str, Encoded]:
        texts = [self._texts[key] for key in keys]
        rows = self._model.encoder.encode_many([p for p, _ in texts], [r for _, r in texts])
        return dict(zip(keys, rows, strict=True))


def in_windows(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """The keys in their order, cut into windows: 2,048 first, twice as many each time, at last 16,384."""
    start, size = 0, FIRST_WINDOW
    while start < len(keys):
        yield keys[start : start + size]
        start, size = start + size, min(2 * size, WINDOW)


def score_batches(model: RewardModel, batches: Generator[Batch], *, limit: int) -> Generator[Scored]:
    """Score batches on the model's device and those of its replicas; each is yielded when it is done.

    A batch that does not fit into memory is scored in parts, of half the tokens or less, and so are those after it.

    Raises:
        ModelError: a single row does not fit into memory.
    """
    supply, results = _Supply(batches, limit), queue.SimpleQueue[Any]()
    threads = [
        threading.Thread(target=_work, args=(each, supply, results), name=f"charm-{each.device}", daemon=True)
        for each in (model, *model.replicas)
    ]
    for thread in threads:
        thread.start()
    at_work = len(threads)
    try:
        while at_work:
            got = results.get()
            if isinstance(got, BaseException):
                raise got
            if got is None:
                at_work -= 1
            else:
                yield got
    finally:
        supply.stop()
        for thread in threads:
            thread.join()
        supply.close()


class _Supply:
    """The batches for several threads, and the token budget that all keep to."""

    def __init__(self, batches: Generator[Batch], limit: int) -> None:
        self._batches, self._lock, self._stopped = batches, threading.Lock(), False
        self.limit = limit

    def take(self) -> Batch | None:
        """The next batch; None: there is none, or the run has stopped."""
        with self._lock:
            return None if self._stopped else next(self._batches, None)

    def lower(self, limit: int) -> None:
        """Keep to a smaller budget from now on."""
        with self._lock:
            self.limit = min(self.limit, limit)

    def stop(self) -> None:
        """Give out no more."""
        self._stopped = True

    def close(self) -> None:
        """End the thread that prepares batches; no other thread may take any."""
        self._batches.close()


def _work(model: RewardModel, supply: _Supply, results: queue.SimpleQueue[Any]) -> None:
    """Score batches until there are none; then put None. What goes wrong is put, too."""
    # A GPU is given its next batch before the scores of the last are waited for.
    lag = 1 if model.device_kind == "cuda" else 0
    begun: deque[tuple[Batch, list[Launched], int]] = deque()
    try:
        while (batch := supply.take()) is not None:
            begun.append((batch, _launch(model, batch.rows, supply), supply.limit))
            while len(begun) > lag:
                results.put(_finish(*begun.popleft()))
        while begun:
            results.put(_finish(*begun.popleft()))
        results.put(None)
    except BaseException as error:  # it is raised in the thread that waits for results
        results.put(error)


def _finish(batch: Batch, launched: Sequence[Launched], limit: int) -> Scored:
    return Scored(batch, np.concatenate([part.wait() for part in launched]), limit)


def _launch(model: RewardModel, rows: Sequence[Encoded], supply: _Supply) -> list[Launched]:
    """Start a batch, in as many parts as the budget asks for and memory allows."""
    launched: list[Launched] = []
    padded = not model.unpadded
    while rows:
        lengths = [len(row) for row in rows]
        part = rows[: len(plan_batches(lengths, token_budget=supply.limit, padded=padded)[0])]
        begun = _attempt(model, part)
        if begun is not None:
            launched.append(begun)
            rows = rows[len(part) :]
        elif len(part) == 1:
            raise _does_not_fit(model, part[0])
        else:
            supply.lower(tokens_in([len(row) for row in part], padded=padded) // 2)
    return launched


def _attempt(model: RewardModel, rows: Sequence[Encoded]) -> Launched | None:
    """Start one forward pass; None where memory ran out."""
    try:
        return model.launch(rows)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    # Outside the except block, where the traceback no longer holds the tensors.
    if model.device_kind == "cuda":
        require("torch").cuda.empty_cache()
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """True where a device or the machine had no memory left: several types and texts say it."""
    if isinstance(error, (MemoryError, require("torch").OutOfMemoryError)):
        return True
    text = str(error)
    signs = ("can't allocate memory", "not enough memory", "bad_alloc", "CUBLAS_STATUS_ALLOC_FAILED")
    return any(sign in text for sign in signs)


def _does_not_fit(model: RewardModel, row: Encoded) -> ModelError:
    return ModelError(
        f"memory on {model.device} does not suffice for a single conversation of {len(row)} tokens",
        where=model.source,
        mend="score with --dtype bfloat16, a smaller --max-length, or a device with more memory",
    )
