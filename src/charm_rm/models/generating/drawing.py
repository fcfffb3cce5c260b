"""Drawing tokens, each row by its own seed, so that an answer does not depend on what else is in the batch; and texts that end it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import ModelError
from ..extras import require


class Drawing:
    """A logits processor that leaves one token a row: the likeliest at temperature 0, else the one that the row's own seed draws.

    The draw is the inverse of the distribution function: the first token, in the vocabulary's order, at which the summed
    probabilities exceed the row's uniform number of this step. ``top_p`` keeps the fewest of the likeliest tokens that hold that share.
    """

    def __init__(
        self, seeds: Sequence[int], *, temperature: float, top_p: float, max_tokens: int, where: str
    ) -> None:
        self._temperature, self._top_p, self._where = temperature, top_p, where
        self._step = 0
        self._uniforms = (
            np.stack([np.random.default_rng(seed).random(max_tokens) for seed in seeds])
            if temperature
            else None
        )

    def __call__(self, _ids: Any, scores: Any) -> Any:
        """The scores of the next tokens, (rows, vocabulary), with all but the drawn one at minus infinity.

        Raises:
            ModelError: the model's output is not finite.
        """
        torch = require("torch")
        if self._step == 0 and not torch.isfinite(scores.amax(dim=-1)).all():
            raise ModelError("the model's output is not finite", where=self._where, fix="try --dtype float32")
        if self._uniforms is None:
            self._step += 1
            return scores
        uniform = torch.as_tensor(self._uniforms[:, self._step], device=scores.device)
        self._step += 1
        drawn = draw(probabilities(scores, temperature=self._temperature, top_p=self._top_p), uniform)
        return torch.full_like(scores, -torch.inf).scatter_(-1, drawn[:, None], 0.0)


def probabilities(scores: Any, *, temperature: float, top_p: float) -> Any:
    """softmax(scores / temperature) in float64, 0 beyond the likeliest tokens that hold ``top_p`` of it (not normed again)."""
    torch = require("torch")
    p = (scores.double() / temperature).softmax(dim=-1)
    if top_p >= 1:
        return p
    likeliest, order = p.sort(dim=-1, descending=True, stable=True)
    before = likeliest.cumsum(dim=-1) - likeliest
    return torch.zeros_like(p).scatter_(-1, order, likeliest.where(before < top_p, 0.0))


def draw(weights: Any, uniform: Any) -> Any:
    """Per row the first token whose summed weights exceed ``uniform`` times all of them."""
    ends = weights.cumsum(dim=-1)
    token = (ends <= uniform[:, None] * ends[:, -1:]).sum(dim=-1)
    return token.clamp(max=weights.shape[-1] - 1)


class Stopping:
    """A stopping criterion: a row ends once one of the texts is in its answer; ``ended`` says with how many tokens."""

    def __init__(self, tokenizer: Any, stop: Sequence[str], *, width: int) -> None:
        self._tokenizer, self._stop, self._width = tokenizer, tuple(stop), width
        # A token is a byte at least; a few more for what the last token has before it.
        self._tail = max(len(text.encode()) for text in stop) + 8
        self.ended: dict[int, int] = {}

    def __call__(self, ids: Any, _scores: Any, **_more: Any) -> Any:
        """Which rows have ended, a tensor of truths."""
        length = ids.shape[1]
        start = max(self._width, length - self._tail)
        for row in range(len(ids)):
            if row not in self.ended:
                text = self._tokenizer.decode(ids[row, start:], skip_special_tokens=True)
                if any(one in text for one in self._stop):
                    self.ended[row] = length - self._width
        return require("torch").tensor([row in self.ended for row in range(len(ids))], device=ids.device)


def cut_at(text: str, stop: Sequence[str]) -> tuple[str, bool]:
    """The text up to the first of the texts that end it, and whether there is one."""
    places = [place for one in stop if (place := text.find(one)) >= 0]
    return (text[: min(places)], True) if places else (text, False)
