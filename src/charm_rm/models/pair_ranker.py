"""Models that compare two responses and score neither: PairRM, and sequence classifiers over both.

Two layouts, told apart by config.json:

``pairrm``      llm-blender/PairRM-hf. ``[CLS] <|source|> prompt [SEP] [CLS] <|candidate1|> first [SEP] [CLS]
                <|candidate2|> second [SEP]``; a small head reads the hidden states of the source token and one
                candidate token, once per candidate. The logit is the difference, averaged over the head's tasks.
``classifier``  any sequence classifier over one text that holds all three. One output is the logit that the first
                is better; of two outputs, the softmax at ``first_output``.

Probabilities are of the order shown. What a model prefers for its place alone is seen by asking in both orders.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import CharmWarning, ConfigError, ModelError
from ..judging import Verdict
from ..protocols import Prompt
from ..statistics import sigmoid
from .devices import device_kind, one_device
from .extras import require
from .loading.folders import model_folder
from .loading.libraries import as_model_error, quiet
from .loading.source import find_source, source_fingerprint
from .loading.tokenizers import load_tokenizer
from .pair_layouts.classifier import build_classifier
from .pair_layouts.pairrm import build_pairrm
from .pair_layouts.row import EncodedTrio
from .precision import check_dtype
from .scoring.batching import collate
from .scoring.engine import run_rows
from .scoring.launched import Launched
from .scoring.local import Memory
from .scoring.positions import ONE_REGIME, Regimes, find_regimes, run_by_regime

TOKEN_BUDGET = {"cpu": 4096, "cuda": 32768}
RankerLayout = Literal["pairrm", "classifier"]


@dataclass(frozen=True, eq=False)
class PairRanker:
    """A loaded ranker, as a :class:`~charm_rm.protocols.PairwisePreference` that runs here (:mod:`.scoring.local`)."""

    logits: Callable[[dict[str, Any], Any], Any]
    encode: Callable[[Prompt, str, str], EncodedTrio]
    model: Any
    layout: RankerLayout
    pad_token_id: int
    max_length: int
    device: str
    dtype: str
    source: str
    fingerprint: str
    replicas: tuple[PairRanker, ...] = ()
    unpadded: bool = False
    regimes: Regimes = ONE_REGIME
    # Batches, not single answers: what is asked together decides the last bits of the result.
    streams: bool = False
    memory: Memory = field(default_factory=Memory)

    def __call__(
        self, prompts: Sequence[Prompt], first: Sequence[str], second: Sequence[str]
    ) -> NDArray[np.float64]:
        """(n,) probabilities that the response shown first is better.

        Raises:
            ModelError: a prompt's roles do not fit the layout, or a value is not finite.
            CharmWarning: (as a warning) some texts were longer than the model takes.
        """
        rows = self._encoded(prompts, first, second)
        if cut := sum(row.truncated for row in rows):
            warnings.warn(
                f"{cut} of {len(rows)} comparisons ({cut / len(rows):.1%}) were longer than {self.max_length} tokens "
                "and judged without part of their text",
                CharmWarning,
                stacklevel=2,
            )
        return self._probabilities(rows)

    def iterate(
        self, prompts: Sequence[Prompt], first: Sequence[str], second: Sequence[str]
    ) -> Iterator[tuple[int, Verdict]]:
        """Yield (row, verdict), each with the tokens that were read and whether text was cut off."""
        rows = self._encoded(prompts, first, second)
        for index, (row, p) in enumerate(zip(rows, self._probabilities(rows).tolist(), strict=True)):
            yield index, Verdict(p, "model", len(row), 0, truncated=row.truncated)

    @property
    def token_budget(self) -> int:
        """A sane number of tokens per batch for the device."""
        return TOKEN_BUDGET[device_kind(self.device)]

    def launch(self, batch: Sequence[EncodedTrio]) -> Launched:
        """Start one forward pass over encoded rows: log-odds that the first is better."""
        with require("torch").inference_mode():
            return Launched.of(run_by_regime(self.regimes, batch, self._logits, model=self.model))

    def _logits(self, rows: Sequence[EncodedTrio]) -> Any:
        """The log-odds of rows that may share a forward pass."""
        inputs = collate([row.encoded for row in rows], pad_token_id=self.pad_token_id)
        marks = require("torch").tensor([row.marks for row in rows], device=self.device)
        return self.logits({k: v.to(self.device) for k, v in inputs.items()}, marks)

    def _encoded(
        self, prompts: Sequence[Prompt], first: Sequence[str], second: Sequence[str]
    ) -> list[EncodedTrio]:
        return [self.encode(p, a, b) for p, a, b in zip(prompts, first, second, strict=True)]

    def _probabilities(self, rows: Sequence[EncodedTrio]) -> NDArray[np.float64]:
        logits = np.array(run_rows(self, rows, memory=self.memory), dtype=np.float64)
        if (bad := np.flatnonzero(~np.isfinite(logits))).size:
            raise ModelError(
                f"{bad.size} of {len(rows)} logits are not finite, the first in row {bad[0]}",
                where=self.source,
                fix="try --dtype float32",
            )
        probabilities: NDArray[np.float64] = sigmoid(logits)
        return probabilities


def load_pair_ranker(
    path_or_id: str | os.PathLike[str],
    *,
    dtype: str = "float32",
    device: str = "auto",
    max_length: int | None = None,
    template: str | None = None,
    first_output: Literal[0, 1] = 0,
    trust_remote_code: bool = False,
) -> PairRanker:
    """Load a model that compares two responses.

    Args:
        path_or_id: local folder or hub id.
        dtype: ``float32``, ``bfloat16`` or ``auto``.
        device: ``auto``, ``cpu``, ``cuda:1`` ...
        max_length: most tokens per comparison; default: all that the model takes, 2,048 for PairRM.
        template: for a classifier, the text with ``{prompt}``, ``{first}`` and ``{second}`` in it; default: the three
            with the tokenizer's separator between them.
        first_output: for a classifier with two outputs, the one that means that the first is better.
        trust_remote_code: run Python code that comes with the model.

    Raises:
        ModelError: it is no such model, or cannot be loaded.
        ConfigError: a setting cannot be used.
    """
    check_dtype(dtype)
    require("torch"), require("transformers")
    place, folder = one_device(device), model_folder(path_or_id)
    options = {"dtype": dtype, "trust_remote_code": trust_remote_code}
    with as_model_error(path_or_id), quiet():
        source = find_source(path_or_id, folder, None, options)
        tokenizer = load_tokenizer(source)
        layout: RankerLayout = "pairrm" if "cand1_prefix_id" in source.config else "classifier"
        if layout == "pairrm" and template is not None:
            raise ConfigError("PairRM has a layout of its own", fix="leave out template=")
        build = build_pairrm if layout == "pairrm" else build_classifier
        model, logits, encode, limit = build(source, tokenizer, max_length, template, first_output)
    regimes = find_regimes(model.config).within(limit)
    numerics = [limit, str(model.dtype), device_kind(place)]
    settings = json.dumps(
        [source_fingerprint(source), layout, template, first_output, *numerics, *regimes.words]
    )
    return PairRanker(
        logits=logits,
        encode=encode,
        model=model.eval().to(place),
        layout=layout,
        pad_token_id=tokenizer.pad_token_id or 0,
        max_length=limit,
        device=place,
        dtype=str(model.dtype).removeprefix("torch."),
        source=os.fspath(path_or_id),
        fingerprint=hashlib.sha256(settings.encode()).hexdigest(),
        regimes=regimes,
    )
