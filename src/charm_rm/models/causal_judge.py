"""A local causal language model that answers conversations: by the probabilities of its first token, or in words."""

from __future__ import annotations

import contextlib
import inspect
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import ModelError
from ..judging.chat import Messages, Reply
from ..memo import content_key
from .causal import open_causal
from .devices import device_kind
from .extras import require
from .loading.folders import fingerprint
from .loading.libraries import quiet
from .openings import layout_words, opening_ids, set_greedy
from .precision import DTypeName
from .scoring.batching import collate, plan_batches
from .scoring.encoding import Encoded, choose_layout, resolve_max_length
from .scoring.engine import run_plan
from .scoring.launched import Ready
from .scoring.local import Memory
from .scoring.positions import ONE_REGIME, Regimes, find_regimes
from .scoring.reward import TOKEN_BUDGET


@dataclass(frozen=True, eq=False)
class LocalChat:
    """A :class:`~charm_rm.judging.Chat`; make one with :func:`load_local_chat`.

    Rows of a batch are padded on the left and masked, whatever side the tokenizer prefers, and positions count from the first
    real token: neither the batch nor the padding moves an answer by more than rounding.
    """

    model: Any
    tokenizer: Any
    device: str
    dtype: str
    max_length: int
    token_budget: int
    source: str
    fingerprint: str
    pad_token_id: int
    end_ids: frozenset[int]
    accepts: frozenset[str] = field(default_factory=frozenset)
    # Batches, not single answers: what is asked together decides the last bits of the result.
    streams: bool = False
    regimes: Regimes = ONE_REGIME
    memory: Memory = field(default_factory=Memory)

    def replies(
        self, conversations: Sequence[Messages], *, max_tokens: int, top_logprobs: int
    ) -> Iterator[tuple[int, Reply]]:
        """Yield (index, answer), the longest conversations first; greedy, up to ``max_tokens`` tokens.

        Raises:
            ModelError: a conversation does not fit, or the model's output is not finite.
        """
        rows = [_Asked(Encoded(self._ids(c)), max_tokens) for c in conversations]
        for index, row in enumerate(rows):
            if len(row) > self.max_length:
                raise ModelError(
                    f"conversation {index} has {len(row.encoded)} tokens; with an answer of {max_tokens} "
                    f"it exceeds {self.max_length}",
                    where=self.source,
                    fix="raise --max-length, or shorten the texts",
                )
        plan = plan_batches([len(row) for row in rows], token_budget=self.token_budget)
        answering = _Answering(self, max_tokens, top_logprobs)
        with contextlib.closing(run_plan(answering, rows, plan, memory=self.memory)) as parts:
            for done in parts:
                yield from zip(done.batch.keys, done.values, strict=True)

    # --- what judging.fitting asks for ----------------------------------------------------------

    def excess(self, conversation: Messages, *, max_tokens: int) -> int:
        """By how many tokens the conversation and an answer of ``max_tokens`` exceed the limit."""
        return len(self._ids(conversation)) + max_tokens - self.max_length

    def count(self, text: str) -> int:
        """Tokens of a text."""
        return len(self._tokens(text))

    def head(self, text: str, n: int) -> str:
        """The text's first ``n`` tokens."""
        if n <= 0:
            return ""
        if self.tokenizer.is_fast:
            offsets = self.tokenizer(
                text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
            )["offset_mapping"]
            return text if len(offsets) <= n else text[: offsets[n - 1][1]]
        return str(self.tokenizer.decode(self._tokens(text)[:n]))

    # --- details --------------------------------------------------------------------------------

    def _tokens(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    def _ids(self, conversation: Messages) -> list[int]:
        """The conversation up to where the answer begins."""
        return opening_ids(self.tokenizer, conversation, where=self.source)

    def answer(self, batch: Sequence[Encoded], *, max_tokens: int, top_logprobs: int) -> list[Reply]:
        """Answers to encoded conversations, in one batch."""
        torch = require("torch")
        inputs = {
            k: v.to(self.device)
            for k, v in collate(batch, pad_token_id=self.pad_token_id, side="left").items()
            if k in self.accepts
        }
        with torch.inference_mode():
            if max_tokens == 1:
                logits = self._last_logits(inputs)
                answers = logits.argmax(dim=-1, keepdim=True).tolist()
            else:
                answers, logits = self._generate(inputs, max_tokens)
            if not torch.isfinite(logits.amax(dim=-1)).all():
                raise ModelError(
                    "the model's output is not finite", where=self.source, fix="try --dtype float32"
                )
            candidates = self._candidates(logits, top_logprobs) if top_logprobs else [None] * len(batch)
        return [
            self._reply(len(row), ids, found)
            for row, ids, found in zip(batch, answers, candidates, strict=True)
        ]

    def _last_logits(self, inputs: dict[str, Any]) -> Any:
        """(rows, vocabulary) logits of the token after each row, in one forward pass."""
        more: dict[str, Any] = {"use_cache": False} if "use_cache" in self.accepts else {}
        if "position_ids" in self.accepts:
            more["position_ids"] = (inputs["attention_mask"].cumsum(-1) - 1).clamp(min=0)
        if "logits_to_keep" in self.accepts:
            more["logits_to_keep"] = 1
        return self.model(**inputs, **more).logits[:, -1].float()

    def _generate(self, inputs: dict[str, Any], max_tokens: int) -> tuple[list[list[int]], Any]:
        """Greedy answers, and the logits of their first tokens."""
        transformers = require("transformers")
        first: list[Any] = []

        def keep_first(_ids: Any, logits: Any) -> Any:
            if not first:
                first.append(logits.float().clone())
            return logits

        with quiet():
            whole = self.model.generate(
                **inputs,
                max_new_tokens=max_tokens,
                logits_processor=transformers.LogitsProcessorList([keep_first]),
            )
        return whole[:, inputs["input_ids"].shape[1] :].tolist(), first[0]

    def _candidates(self, logits: Any, top: int) -> list[dict[str, float]]:
        """By row, the ``top`` likeliest first tokens by their text; tokens that read the same are summed."""
        torch = require("torch")
        values, ids = logits.log_softmax(dim=-1).topk(min(top, logits.shape[-1]), dim=-1)
        found = []
        for row_values, row_ids in zip(values.double(), ids.tolist(), strict=True):
            row: dict[str, Any] = {}
            for value, token in zip(row_values, row_ids, strict=True):
                text = self.tokenizer.decode([token])
                row[text] = torch.logaddexp(row[text], value) if text in row else value
            found.append({text: float(value) for text, value in row.items()})
        return found

    def _reply(self, prompt_tokens: int, ids: list[int], candidates: dict[str, float] | None) -> Reply:
        end = next((i for i, token in enumerate(ids) if token in self.end_ids), None)
        kept = ids if end is None else ids[:end]
        return Reply(
            text=str(self.tokenizer.decode(kept, skip_special_tokens=True)),
            top_logprobs=candidates,
            prompt_tokens=prompt_tokens,
            completion_tokens=len(kept) + (end is not None),
            finish="length" if end is None else "stop",
        )


@dataclass(frozen=True)
class _Asked:
    """A conversation's tokens, and room for an answer: both take memory, so both count."""

    encoded: Encoded
    answer: int
    # The judge's own fitting shortens texts before they come here.
    truncated: bool = False

    def __len__(self) -> int:
        return len(self.encoded) + self.answer


@dataclass(frozen=True)
class _Answering:
    """The chat as a :class:`~.scoring.local.LocalModel`: how long an answer may be is settled."""

    chat: LocalChat
    max_tokens: int
    top_logprobs: int
    replicas: tuple[_Answering, ...] = ()
    unpadded: bool = False

    @property
    def source(self) -> str:
        return self.chat.source

    @property
    def device(self) -> str:
        return self.chat.device

    @property
    def token_budget(self) -> int:
        return self.chat.token_budget

    def launch(self, batch: Sequence[_Asked]) -> Ready:
        rows = [row.encoded for row in batch]
        replies: dict[int, Reply] = {}
        # What is answered by one token is one forward pass: the text does not grow.
        grows = self.max_tokens if self.max_tokens > 1 else 0
        for group in self.chat.regimes.groups([len(row) for row in rows], answer=grows):
            some = [rows[i] for i in group]
            answers = self.chat.answer(some, max_tokens=self.max_tokens, top_logprobs=self.top_logprobs)
            replies |= zip(group, answers, strict=True)
        return Ready([replies[i] for i in range(len(rows))])


def load_local_chat(
    path_or_id: str | os.PathLike[str],
    *,
    dtype: DTypeName = "float32",
    device: str = "auto",
    max_length: int | None = None,
    trust_remote_code: bool = False,
    token_budget: int | None = None,
) -> LocalChat:
    """Load a causal language model (a folder or hub id) to answer conversations greedily.

    Args:
        path_or_id: local folder or hub id.
        dtype: ``float32``, ``bfloat16`` or ``auto`` (as saved); probabilities are always taken in float32.
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda``, ``cuda:1`` ...
        max_length: most tokens of a conversation and its answer; default: all that the model takes.
        trust_remote_code: run Python code that comes with the model.
        token_budget: tokens per batch, padding and answers included; default: a sane number for the device.

    Raises:
        ModelError: it is no causal language model, lacks weights, or cannot be loaded.
        ConfigError: a setting cannot be used.
    """
    opened = open_causal(path_or_id, dtype=dtype, device=device, trust_remote_code=trust_remote_code)
    model, tokenizer, device = opened.model, opened.tokenizer, opened.device
    length = resolve_max_length(tokenizer, model.config, max_length)
    end_ids = set_greedy(model, tokenizer)
    regimes = find_regimes(model.config).within(length)
    # How conversations are laid out as ids: raised where that changes.
    way = 2 if choose_layout(tokenizer) == "chat" else 3
    return LocalChat(
        model=model,
        tokenizer=tokenizer,
        device=device,
        dtype=opened.dtype,
        max_length=length,
        token_budget=token_budget or TOKEN_BUDGET[device_kind(device)],
        source=os.fspath(path_or_id),
        fingerprint=content_key(
            "local chat",
            way,
            fingerprint(opened.folder),
            opened.dtype,
            length,
            trust_remote_code,
            *regimes.words,
            *layout_words(tokenizer),
        ),
        pad_token_id=model.generation_config.pad_token_id,
        end_ids=end_ids,
        accepts=frozenset(inspect.signature(model.forward).parameters),
        regimes=regimes,
    )
