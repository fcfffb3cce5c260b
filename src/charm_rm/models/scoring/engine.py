"""Running a plan: batches -> results, on all devices of a model, in smaller batches where memory runs out.

What is run is anything that runs here (:class:`~.local.LocalModel`). Planning is :func:`~.batching.plan_batches`, by lengths
alone; :func:`run_plan` computes a plan and yields its batches as they are done, :func:`run_rows` does both. Each device has a
thread that takes batches from the common plan; which device computes a batch changes nothing in it.

Whoever spreads rows over machines does the same in two places: ``plan_batches`` where the lengths are known, ``run_plan``
where the model is. ::

    plan = plan_batches([len(row) for row in rows], token_budget=model.token_budget)
    for done in run_plan(model, rows, plan):
        keep(done.batch.keys, done.values)  # numbers of rows, and their results
"""

from __future__ import annotations

import contextlib
import queue
import threading
import warnings
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ...errors import CharmWarning, ModelError, counted, first_line
from ..extras import require
from .batching import plan_batches, tokens_in
from .local import LocalModel, Memory, Pending, TokenRow


@dataclass(frozen=True)
class Batch:
    """Rows to compute in one go, longest first, and what the caller knows them by."""

    keys: Sequence[Any]
    rows: Sequence[TokenRow]


@dataclass(frozen=True, eq=False)
class Done:
    """A batch with its results, one per row; ``limit`` is the token budget that memory allowed by then."""

    batch: Batch
    values: list[Any]
    limit: int


def run_rows(
    model: LocalModel,
    rows: Sequence[TokenRow],
    *,
    token_budget: int | None = None,
    memory: Memory | None = None,
) -> list[Any]:
    """Plan the rows and run the plan: their results in the order of the rows.

    Args:
        model: what runs.
        rows: what it reads.
        token_budget: tokens per batch, padding included; default: the model's own.
        memory: where what memory allows is noted, and kept to from the next call on.

    Raises:
        ModelError: a single row does not fit into memory.
        CharmWarning: (as a warning) memory ran out, and batches became smaller.
    """
    budget = model.token_budget if token_budget is None else token_budget
    plan = plan_batches([len(row) for row in rows], token_budget=budget, padded=not model.unpadded)
    values: list[Any] = [None] * len(rows)
    with contextlib.closing(run_plan(model, rows, plan, token_budget=budget, memory=memory)) as parts:
        for done in parts:
            for index, value in zip(done.batch.keys, done.values, strict=True):
                values[index] = value
    return values


def run_plan(
    model: LocalModel,
    rows: Sequence[TokenRow],
    plan: Iterable[NDArray[Any]],
    *,
    token_budget: int | None = None,
    memory: Memory | None = None,
) -> Generator[Done]:
    """Compute a plan over ``rows``; each batch, its keys the numbers of its rows, is yielded when it is done.

    Arguments, errors and warnings are as in :func:`run_rows`; ``token_budget`` is the one that the plan was made for.
    """
    memory = Memory() if memory is None else memory
    budget = model.token_budget if token_budget is None else token_budget
    batches = (Batch(part.tolist(), [rows[i] for i in part]) for part in plan)
    with contextlib.closing(run_batches(model, batches, token_budget=budget, limit=memory.limit)) as parts:
        for done in parts:
            if done.limit < budget:
                memory.limit = done.limit
            yield done


def run_batches(
    model: LocalModel, batches: Generator[Batch], *, token_budget: int, limit: int | None = None
) -> Generator[Done]:
    """Compute batches on the model's device and those of its replicas; each is yielded when it is done.

    A batch that does not fit into memory is computed in parts, of half the tokens or less, and so are those after it.

    Args:
        model: what runs.
        batches: in order; taken as devices become free.
        token_budget: the budget that they were planned for.
        limit: a smaller one that memory is known to allow.

    Raises:
        ModelError: a single row does not fit into memory.
        CharmWarning: (as a warning) memory ran out where no ``limit`` was known.
    """
    said = min(limit or token_budget, token_budget)
    supply, results = _Supply(batches, said), queue.SimpleQueue[Any]()
    threads = [
        threading.Thread(target=_work, args=(each, supply, results), name=f"charm-{each.device}", daemon=True)
        for each in (model, *model.replicas)
    ]
    for thread in threads:
        thread.start()
    try:
        for done in _arriving(results, at_work=len(threads)):
            if done.limit < said == token_budget:
                said = done.limit
                _warn_smaller(token_budget, said)
            yield done
    finally:
        supply.stop()
        for thread in threads:
            thread.join()
        supply.close()


def is_out_of_memory(error: BaseException) -> bool:
    """True where a device or the machine had no memory left: several types and texts say it."""
    if isinstance(error, (MemoryError, require("torch").OutOfMemoryError)):
        return True
    text = str(error)
    signs = ("can't allocate memory", "not enough memory", "bad_alloc", "CUBLAS_STATUS_ALLOC_FAILED")
    return any(sign in text for sign in signs)


# --- one thread for each device -----------------------------------------------------------------


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


def _arriving(results: queue.SimpleQueue[Any], *, at_work: int) -> Generator[Done]:
    """What the threads put: batches that are done, None from each that has ended, an error to raise here."""
    while at_work:
        got = results.get()
        if isinstance(got, BaseException):
            raise got
        if got is None:
            at_work -= 1
        else:
            yield got


def _work(model: LocalModel, supply: _Supply, results: queue.SimpleQueue[Any]) -> None:
    """Compute batches until there are none; then put None. What goes wrong is put, too."""
    # A GPU is given its next batch before the results of the last are waited for.
    lag = 1 if model.device.startswith("cuda") else 0
    begun: deque[tuple[Batch, list[Pending], int]] = deque()
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


def _finish(batch: Batch, launched: Sequence[Pending], limit: int) -> Done:
    return Done(batch, [value for part in launched for value in part.wait()], limit)


# --- memory that runs out -----------------------------------------------------------------------


def _launch(model: LocalModel, rows: Sequence[TokenRow], supply: _Supply) -> list[Pending]:
    """Start a batch, in as many parts as the budget asks for and memory allows."""
    launched: list[Pending] = []
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


def _attempt(model: LocalModel, rows: Sequence[TokenRow]) -> Pending | None:
    """Start one forward pass; None where memory ran out."""
    try:
        return model.launch(rows)
    except (RuntimeError, MemoryError, IndexError) as error:
        if not is_out_of_memory(error):
            raise _fails(model, rows, error) from error
    # Outside the except block, where the traceback no longer holds the tensors.
    if model.device.startswith("cuda"):
        require("torch").cuda.empty_cache()
    return None


def _warn_smaller(budget: int, limit: int) -> None:
    warnings.warn(
        f"a batch of {budget:,} tokens did not fit into memory: going on with {limit:,}, or fewer",
        CharmWarning,
        stacklevel=4,
    )


def _fails(model: LocalModel, rows: Sequence[TokenRow], error: Exception) -> ModelError:
    """Of a model whose parts do not fit together: a tokenizer with more words than embeddings, say."""
    return ModelError(
        f"fails on a batch of {counted(len(rows), 'conversation')}: {type(error).__name__}: {first_line(error)}",
        where=model.source,
        fix="look it over with `charm doctor`; do tokenizer, config.json and weights come from one place?",
    )


def _does_not_fit(model: LocalModel, row: TokenRow) -> ModelError:
    return ModelError(
        f"memory on {model.device} does not suffice for a single conversation of {len(row)} tokens",
        where=model.source,
        fix="use --dtype bfloat16, a smaller --max-length, or a device with more memory",
    )
