"""The implicit reward of a DPO policy against its reference (Rafailov et al. 2023, https://arxiv.org/abs/2305.18290).

    r(x, y) = beta (log pi(y | x) - log pi_ref(y | x))

summed over the tokens of the response, its closing tokens included, as in DPO training. A sum grows with length;
``normalise`` takes the mean per token instead. The prompt's own part, beta log Z(x), is the same for all
responses to one prompt and left out, so rewards are compared within a prompt alone.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, ModelError
from ..protocols import Prompt
from ..provenance import AGAINST
from ..tables import as_messages
from .causal import open_causal
from .devices import device_kind
from .extras import require
from .loading.folders import fingerprint
from .rendering import render_chat
from .scoring.batching import collate
from .scoring.encoding import TEXTS_PER_CALL, Encoded, resolve_max_length, with_response
from .scoring.finishing import checked_scores
from .scoring.launched import Launched
from .scoring.local import Memory
from .scoring.positions import ONE_REGIME, Regimes, find_regimes, run_by_regime
from .scoring.shortening import PROMPT_SHARE, Turns, in_chunks

# Tokens per batch. The logits are as wide as the vocabulary, so batches are smaller than a reward model's.
TOKEN_BUDGET = {"cpu": 2048, "cuda": 8192}


@dataclass(frozen=True, eq=False)
class ImplicitReward:
    """A policy and its reference, as a :class:`~charm_rm.protocols.ScalarReward` that runs here (:mod:`.scoring.local`)."""

    policy: Any
    reference: Any
    tokenizer: Any
    beta: float
    normalise: bool
    device: str
    dtype: str
    max_length: int
    source: str
    fingerprint: str
    # Both models stay on one device, and their rows are padded; the layout is the policy's chat template.
    replicas: tuple[ImplicitReward, ...] = ()
    unpadded: bool = False
    layout: str = "chat"
    regimes: Regimes = ONE_REGIME
    memory: Memory = field(default_factory=Memory)

    def __call__(self, prompts: Sequence[Prompt], responses: Sequence[str]) -> NDArray[np.float64]:
        """beta times the log-ratio of each response to its prompt, (n,).

        Raises:
            ModelError: the chat template does not let prompt and response be told apart, or a value is not finite.
            CharmWarning: (as a warning) some texts were longer than ``max_length`` and lost part of themselves.
        """
        return checked_scores(self, self.encode_many(prompts, responses), memory=self.memory)

    @property
    def token_budget(self) -> int:
        """A sane number of tokens per batch for the device."""
        return TOKEN_BUDGET[device_kind(self.device)]

    @property
    def numerics(self) -> dict[str, str]:
        """All besides models and text that a reward depends on: a little, in its last digits."""
        return {
            "dtype": self.dtype,
            "attention": str(getattr(self.policy.config, "_attn_implementation", None) or "eager"),
            "linear": "torch",
            "device": device_kind(self.device),
            "padding": "right",
        }

    def encode_many(self, prompts: Sequence[Prompt], responses: Sequence[str]) -> list[Split]:
        """Token ids of whole conversations, and where each response begins; the tokenizer is called with many texts."""
        rows = [(as_messages(p), r) for p, r in zip(prompts, responses, strict=True)]
        return [split for some in in_chunks(rows, TEXTS_PER_CALL) for split in self._encode(some)]

    def _encode(self, rows: Sequence[Turns]) -> list[Split]:
        render = functools.partial(render_chat, self.tokenizer, where=self.source)
        openings = [render(turns, open_turn=True) for turns, _ in rows]
        wholes = [render(with_response(*row)) for row in rows]
        parts = zip(openings, wholes, self._ids(openings), self._ids(wholes), strict=True)
        return [_shortened(self._split(*part), self.max_length) for part in parts]

    def _split(self, opening: str, text: str, before: list[int], whole: list[int]) -> Split:
        """Where in the whole conversation's ids the response begins, given those of the conversation up to it."""
        if whole[: len(before)] != before and text.startswith(opening):
            # White space at the response's start melts into the token before it: read the two apart.
            whole = before + self._ids([text[len(opening) :]])[0]
        if not before or whole[: len(before)] != before or len(whole) == len(before):
            raise ModelError(
                "the chat template renders a prompt differently once it is answered, so the response's tokens "
                "cannot be told from the prompt's",
                where=self.source,
                fix="use a template whose rendering with the answer begins with the rendering without it",
            )
        return Split(tuple(whole), len(before))

    def launch(self, batch: Sequence[Split]) -> Launched:
        """Start one forward pass of each model over encoded rows."""
        with require("torch").inference_mode():
            return Launched.of(run_by_regime(self.regimes, batch, self._rewards))

    def _rewards(self, rows: Sequence[Split]) -> Any:
        """The rewards of rows that may share a forward pass: a tensor (rows,)."""
        lengths = [len(row) - row.start if self.normalise else 1 for row in rows]
        policy, reference = (self._log_probabilities(m, rows) for m in (self.policy, self.reference))
        return self.beta * (policy - reference) / require("torch").tensor(lengths, device=self.device)

    def _log_probabilities(self, model: Any, rows: Sequence[Split]) -> Any:
        """log p(response | prompt) under the model: a tensor (rows,) on its device."""
        torch = require("torch")
        inputs = collate([Encoded(list(row.ids)) for row in rows], pad_token_id=0)
        first = min(row.start for row in rows) - 1
        options: dict[str, Any] = {}
        if "logits_to_keep" in inspect.signature(model.forward).parameters:
            options["logits_to_keep"] = torch.arange(first, inputs["input_ids"].shape[1], device=self.device)
        offset = first if options else 0
        inputs = {k: v.to(self.device) for k, v in inputs.items()}
        logits = model(**inputs, use_cache=False, **options).logits
        sums = []
        for i, row in enumerate(rows):
            # The logits at one place are of the token at the next.
            places = slice(row.start - 1 - offset, len(row) - 1 - offset)
            log_p = logits[i, places].float().log_softmax(-1)
            answer = inputs["input_ids"][i, row.start : len(row), None]
            sums.append(log_p.gather(-1, answer).double().sum())
        return torch.stack(sums)

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        ids: list[list[int]] = self.tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        return ids


@dataclass(frozen=True)
class Split:
    """Token ids of a conversation; those from ``start`` on are the response."""

    ids: tuple[int, ...]
    start: int
    truncated: bool = False

    def __len__(self) -> int:
        return len(self.ids)


def load_dpo_reward(
    policy: str | os.PathLike[str],
    reference: str | os.PathLike[str],
    *,
    beta: float = 1.0,
    normalise: bool = False,
    dtype: str = "float32",
    device: str = "auto",
    max_length: int | None = None,
    trust_remote_code: bool = False,
) -> ImplicitReward:
    """Load a DPO policy and the model that it was trained from.

    Args:
        policy: local folder or hub id of the causal LM.
        reference: that of its reference, with the same tokenizer.
        beta: DPO's beta. It only scales the rewards.
        normalise: mean log-ratio per token instead of the sum.
        dtype: ``float32``, ``bfloat16`` or ``auto``. A reward is a small difference of large sums: prefer float32.
        device: ``auto``, ``cpu``, ``cuda:1`` ...; both models live on it.
        max_length: most tokens per conversation; default: all that both models take.
        trust_remote_code: run Python code that comes with the models.

    Raises:
        ModelError: one of them is no causal LM, they read text differently, or there is no chat template.
        ConfigError: ``beta``, ``dtype``, ``device`` or ``max_length`` cannot be used.
    """
    if not (np.isfinite(beta) and beta > 0):
        raise ConfigError(
            f"beta is {beta}",
            fix="give --beta (beta= in Python) a positive number; it only scales the rewards",
        )
    source = f"{os.fspath(policy)}{AGAINST}{os.fspath(reference)}"
    mine, other = (
        open_causal(path, dtype=dtype, device=device, trust_remote_code=trust_remote_code)
        for path in (policy, reference)
    )
    _check_tokenizers(mine.tokenizer, other.tokenizer, where=source)
    models = (mine.model, other.model)
    room = min(resolve_max_length(mine.tokenizer, m.config) for m in models)
    if max_length is not None and not 2 <= max_length <= room:
        raise ConfigError(
            f"max_length {max_length} is not between 2 and the {room} tokens of both models",
            fix=f"give --max-length (max_length= in Python) at most {room}, or leave it out",
        )
    length = max_length or room
    regimes = find_regimes(*(m.config for m in models)).within(length)
    own_code = trust_remote_code and any(hasattr(m.config, "auto_map") for m in models)
    numerics = [*(str(m.dtype) for m in models), device_kind(mine.device)]
    files = [fingerprint(opened.folder) for opened in (mine, other)]
    settings = json.dumps([*files, beta, normalise, length, *numerics, own_code, *regimes.words])
    return ImplicitReward(
        policy=mine.model,
        reference=other.model,
        tokenizer=mine.tokenizer,
        beta=beta,
        normalise=normalise,
        device=mine.device,
        dtype=mine.dtype,
        max_length=length,
        source=source,
        fingerprint=hashlib.sha256(settings.encode()).hexdigest(),
        regimes=regimes,
    )


# --- details ------------------------------------------------------------------------------------


def _check_tokenizers(policy: Any, reference: Any, *, where: str) -> None:
    """Both must read a text as the same tokens, or their log-probabilities are of different things."""
    if _reading(policy) != _reading(reference):
        raise ModelError(
            "policy and reference have different tokenizers, so their log-probabilities cannot be compared",
            where=where,
            fix="name the model that the policy was trained from",
        )
    if not policy.chat_template:
        raise ModelError("the policy has no chat template", where=where, fix="save one with its tokenizer")


def _reading(tokenizer: Any) -> Any:
    """What decides how a text is split; padding and truncation do not."""
    if not getattr(tokenizer, "is_fast", False):
        return tokenizer.get_vocab()
    parts = json.loads(tokenizer.backend_tokenizer.to_str())
    return [parts.get(k) for k in ("model", "normalizer", "pre_tokenizer")] + [tokenizer.get_vocab()]


def _shortened(row: Split, limit: int) -> Split:
    """At most ``limit`` tokens: the prompt loses its beginning, down to a quarter, then the response its end."""
    if len(row.ids) <= limit:
        return row
    n_response = len(row.ids) - row.start
    kept = min(n_response, max(limit - row.start, limit - max(1, int(PROMPT_SHARE * limit))))
    kept_prompt = min(row.start, limit - kept)
    ids = row.ids[row.start - kept_prompt : row.start + kept]
    return Split(ids, kept_prompt, truncated=True)
