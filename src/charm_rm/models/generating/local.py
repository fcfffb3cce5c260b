"""A local causal language model as a policy: batches of similar length, left padding, the key-value cache, a seed for every row."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...memo import content_key
from ...protocols import JOINS_SYSTEM, Answer, Prompt, Sampling
from ...provenance import versions
from ...tables import as_messages
from ..causal import CausalModel, open_causal
from ..devices import device_kind
from ..extras import require
from ..loading.folders import fingerprint
from ..loading.libraries import quiet
from ..openings import joins_system, layout_words, opening_ids, set_greedy
from ..precision import DTypeName
from ..rendering import PINNED_DATE
from ..scoring.batching import collate, plan_batches
from ..scoring.encoding import Encoded, choose_layout, resolve_max_length
from ..scoring.engine import run_plan
from ..scoring.launched import Ready
from ..scoring.local import Memory
from ..scoring.positions import ONE_REGIME, Regimes, find_regimes
from ..shipped import is_shipped, shipped_smollm2
from .drawing import Drawing, Stopping, cut_at

# Tokens per batch, those to come included.
TOKEN_BUDGET = {"cpu": 8192, "cuda": 65536}
# Part of the fingerprint: raise it when the drawing or the laying out of tokens changes.
_WAY = 1


@dataclass(frozen=True, eq=False)
class LocalPolicy:
    """An :class:`~charm_rm.protocols.AnsweringPolicy`; make one with :func:`load_local_policy`.

    Neither the batch nor the padding moves an answer by more than rounding: rows are padded on the left and masked, positions count
    from the first real token, and each row draws by its own seed.
    """

    model: Any
    tokenizer: Any
    device: str
    dtype: str
    max_length: int
    token_budget: int
    source: str
    fingerprint: str
    end_ids: frozenset[int]
    about: Mapping[str, Any]
    accepts: frozenset[str] = field(default_factory=frozenset)
    block: int = 64
    regimes: Regimes = ONE_REGIME
    memory: Memory = field(default_factory=Memory)

    def excess(self, prompt: Prompt, sampling: Sampling) -> int:
        """By how many tokens the prompt and its answer exceed the limit; 0 or less: it fits."""
        return len(self._ids(prompt)) + sampling.max_tokens - self.max_length

    def answers(
        self, prompts: Sequence[Prompt], sampling: Sampling, seeds: Sequence[int]
    ) -> Iterator[tuple[int, Answer]]:
        """Yield (index, answer), the longest prompts first.

        Raises:
            ModelError: the model's output is not finite, or a single prompt does not fit into memory.
        """
        rows = [
            _Row(Encoded(self._ids(prompt)), seed, sampling.max_tokens)
            for prompt, seed in zip(prompts, seeds, strict=True)
        ]
        plan = plan_batches([len(row) for row in rows], token_budget=self.token_budget)
        with contextlib.closing(run_plan(_Drawn(self, sampling), rows, plan, memory=self.memory)) as parts:
            for done in parts:
                yield from zip(done.batch.keys, done.values, strict=True)

    def answer(self, rows: Sequence[_Row], sampling: Sampling) -> list[Answer]:
        """Answers to encoded prompts, in one batch."""
        torch, transformers = require("torch"), require("transformers")
        padded = collate(
            [row.encoded for row in rows], pad_token_id=self.model.generation_config.pad_token_id, side="left"
        )
        inputs = {k: v.to(self.device) for k, v in padded.items() if k in self.accepts}
        width = inputs["input_ids"].shape[1]
        drawing = Drawing(
            [row.seed for row in rows],
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=sampling.max_tokens,
            where=self.source,
        )
        stopping = Stopping(self.tokenizer, sampling.stop, width=width) if sampling.stop else None
        more = {"stopping_criteria": transformers.StoppingCriteriaList([stopping])} if stopping else {}
        with torch.inference_mode(), quiet():
            whole = self.model.generate(
                **inputs,
                max_new_tokens=sampling.max_tokens,
                logits_processor=transformers.LogitsProcessorList([drawing]),
                **more,
            )
        ended = stopping.ended if stopping else {}
        return [
            self._read(len(row.encoded), ids, ended.get(i), sampling)
            for i, (row, ids) in enumerate(zip(rows, whole[:, width:].tolist(), strict=True))
        ]

    # --- details --------------------------------------------------------------------------------

    def _ids(self, prompt: Prompt) -> list[int]:
        return opening_ids(self.tokenizer, as_messages(prompt), where=self.source)

    def _read(self, prompt_tokens: int, ids: list[int], stopped: int | None, sampling: Sampling) -> Answer:
        """The tokens up to the first that ends the answer, as text up to the first text that does."""
        end = next((i for i, token in enumerate(ids) if token in self.end_ids), None)
        kept = ids[: len(ids) if end is None else end]
        n_tokens = len(kept) + (end is not None)
        if stopped is not None and (end is None or stopped <= end):
            kept, n_tokens = ids[:stopped], stopped
        text, cut = cut_at(str(self.tokenizer.decode(kept, skip_special_tokens=True)), sampling.stop)
        finish = "stop" if cut or end is not None else "length"
        return Answer(text, finish, prompt_tokens=prompt_tokens, n_tokens=n_tokens)


@dataclass(frozen=True)
class _Row:
    """A prompt's tokens, the seed of its answer, and room for that: both take memory, so both count."""

    encoded: Encoded
    seed: int
    room: int
    truncated: bool = False

    def __len__(self) -> int:
        return len(self.encoded) + self.room


@dataclass(frozen=True)
class _Drawn:
    """The policy as a :class:`~..scoring.local.LocalModel`: how its answers are drawn is settled."""

    policy: LocalPolicy
    sampling: Sampling
    replicas: tuple[_Drawn, ...] = ()
    unpadded: bool = False

    @property
    def source(self) -> str:
        return self.policy.source

    @property
    def device(self) -> str:
        return self.policy.device

    @property
    def token_budget(self) -> int:
        return self.policy.token_budget

    def launch(self, batch: Sequence[_Row]) -> Ready:
        answers: dict[int, Answer] = {}
        lengths = [len(row.encoded) for row in batch]
        for group in self.policy.regimes.groups(lengths, answer=self.sampling.max_tokens):
            found = self.policy.answer([batch[i] for i in group], self.sampling)
            answers |= zip(group, found, strict=True)
        return Ready([answers[i] for i in range(len(batch))])


def load_local_policy(
    path_or_id: str | os.PathLike[str],
    *,
    dtype: DTypeName = "float32",
    device: str = "auto",
    max_length: int | None = None,
    trust_remote_code: bool = False,
    token_budget: int | None = None,
) -> LocalPolicy:
    """Load a causal language model (a folder or hub id) to answer prompts.

    Args:
        path_or_id: local folder or hub id, or ``smollm2``, which pip ships.
        dtype: ``float32``, ``bfloat16`` or ``auto`` (as saved).
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda``, ``cuda:1`` ...
        max_length: most tokens of a prompt and its answer; default: all that the model takes.
        trust_remote_code: run Python code that comes with the model.
        token_budget: tokens per batch, padding and answers included; default: a sane number for the device.

    Raises:
        ModelError: it is no causal language model, lacks weights, or cannot be loaded.
        ConfigError: a setting cannot be used.
        MissingExtra: an optional dependency, or the package that ships a model, is not installed.
    """
    place = shipped_smollm2() if is_shipped(path_or_id) else path_or_id
    opened = open_causal(place, dtype=dtype, device=device, trust_remote_code=trust_remote_code)
    length = resolve_max_length(opened.tokenizer, opened.model.config, max_length)
    end_ids = set_greedy(opened.model, opened.tokenizer)
    regimes = find_regimes(opened.model.config).within(length)
    return LocalPolicy(
        model=opened.model,
        tokenizer=opened.tokenizer,
        device=opened.device,
        dtype=opened.dtype,
        max_length=length,
        token_budget=token_budget or TOKEN_BUDGET[device_kind(opened.device)],
        source=os.fspath(path_or_id),
        fingerprint=content_key(
            *(
                "local policy",
                _WAY,
                fingerprint(opened.folder),
                opened.dtype,
                length,
                trust_remote_code,
                *regimes.words,
                *layout_words(opened.tokenizer),
            )
        ),
        end_ids=end_ids,
        about=_about(opened, length),
        accepts=frozenset(inspect.signature(opened.model.forward).parameters),
        regimes=regimes,
    )


def _about(opened: CausalModel, max_length: int) -> dict[str, Any]:
    """What the manifest says of the model."""
    return {
        "files": fingerprint(opened.folder),
        **template_record(opened.tokenizer),
        "dtype": opened.dtype,
        "max_length": max_length,
        "versions": versions(("torch", "transformers")),
    }


def template_record(tokenizer: Any) -> dict[str, Any]:
    """How prompts are laid out: a hash of the chat template, and the day that it is told; or as labelled text."""
    if choose_layout(tokenizer) != "chat":
        return {"layout": "labelled text"}
    template = tokenizer.get_chat_template()
    joined = {JOINS_SYSTEM: True} if joins_system(tokenizer) else {}
    return {
        **joined,
        "layout": "chat template",
        "template_sha256": hashlib.sha256(template.encode("utf-8", "surrogatepass")).hexdigest(),
        "template_date": PINNED_DATE.isoformat(),
    }
