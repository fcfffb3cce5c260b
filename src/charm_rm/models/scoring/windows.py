"""Texts -> batches, window by window: the next window is tokenised and planned while the last one is computed."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from ...protocols import Prompt
from .batching import plan_batches, tokens_in
from .engine import Batch
from .journal import Journal
from .local import LocalReward, TokenRow

# Texts per window: few at first, so that the devices soon have work; then many, as sorting them saves padding.
FIRST_WINDOW, WINDOW = 2048, 16384


class WindowedBatches:
    """The batches of a run.

    ``texts`` are prompt and response by key. Once all batches were taken, ``padding_share`` is the share of
    padding among the tokens computed, batches of an earlier life of the run among them.
    """

    def __init__(
        self,
        model: LocalReward,
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
        """Tokenise what has no score yet, and plan as if nothing had one.

        A run that goes on after a kill must form the batches that it would have formed undisturbed, as a batch's company
        moves a score's last digits. Lengths of rows with a score are in the journal, so those need no tokenising.
        """
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

    def _encoded(self, keys: Sequence[str]) -> dict[str, TokenRow]:
        texts = [self._texts[key] for key in keys]
        rows = self._model.encode_many([p for p, _ in texts], [r for _, r in texts])
        return dict(zip(keys, rows, strict=True))


def in_windows(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """The keys in their order, cut into windows: 2,048 first, twice as many each time, at last 16,384."""
    start, size = 0, FIRST_WINDOW
    while start < len(keys):
        yield keys[start : start + size]
        start, size = start + size, min(2 * size, WINDOW)
