"""vLLM's offline engine as a policy: the only place that imports vllm.

Prompts go in as token ids, laid out here as for transformers, so both engines read the same. Every request has its own sampling
parameters with its own seed; nothing of the checkpoint's generation settings is used but the tokens that end an answer.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import ModelError, first_line
from ...memo import content_key
from ...protocols import Answer, Prompt, Sampling
from ...provenance import versions
from ...tables import as_messages
from ..extras import require
from ..loading.folders import fingerprint, model_folder
from ..loading.libraries import quiet
from ..loading.tokenizers import read_tokenizer
from ..openings import end_tokens, layout_words, opening_ids
from ..precision import DTypeName, check_dtype
from .drawing import cut_at
from .local import template_record

_WAY = 1
# The engine makes batches of its own, and does so the better the more it is given; what a kill loses at most.
BLOCK = 1024


@dataclass(frozen=True, eq=False)
class EnginePolicy:
    """An :class:`~charm_rm.protocols.AnsweringPolicy` of a ``vllm.LLM``; make one with :func:`load_engine_policy`."""

    engine: Any
    tokenizer: Any
    max_length: int
    source: str
    fingerprint: str
    end_ids: frozenset[int]
    about: Mapping[str, Any]
    block: int = BLOCK

    def excess(self, prompt: Prompt, sampling: Sampling) -> int:
        """By how many tokens the prompt and its answer exceed the limit; 0 or less: it fits."""
        return len(self._ids(prompt)) + sampling.max_tokens - self.max_length

    def answers(
        self, prompts: Sequence[Prompt], sampling: Sampling, seeds: Sequence[int]
    ) -> Iterator[tuple[int, Answer]]:
        """Yield (index, answer), in order.

        Raises:
            ModelError: the engine fails, or does not answer every prompt.
        """
        asked = [{"prompt_token_ids": self._ids(prompt)} for prompt in prompts]
        try:
            outputs = self.engine.generate(
                asked, [self._parameters(sampling, seed) for seed in seeds], use_tqdm=False
            )
        except Exception as error:  # an engine with processes of its own: anything may come
            raise ModelError(
                f"vLLM fails: {type(error).__name__}: {first_line(error)}",
                where=self.source,
                fix="see its log above; lower --max-length, or use hf: in place of vllm:",
            ) from error
        if len(outputs) != len(asked):
            raise ModelError(
                f"vLLM gave {len(outputs)} answers to {len(asked)} prompts",
                where=self.source,
                fix="run again",
            )
        for index, output in enumerate(outputs):
            yield index, self._read(output, len(asked[index]["prompt_token_ids"]), sampling)

    # --- details --------------------------------------------------------------------------------

    def _ids(self, prompt: Prompt) -> list[int]:
        return opening_ids(self.tokenizer, as_messages(prompt), where=self.source)

    def _parameters(self, sampling: Sampling, seed: int) -> Any:
        """Everything is said, so that no default of engine or checkpoint decides."""
        return require("vllm", extra="vllm").SamplingParams(
            n=1,
            temperature=sampling.temperature,
            top_p=sampling.top_p if sampling.temperature else 1.0,
            top_k=0,
            min_p=0.0,
            repetition_penalty=1.0,
            presence_penalty=0.0,
            frequency_penalty=0.0,
            seed=seed if sampling.temperature else None,
            stop=list(sampling.stop) or None,
            stop_token_ids=sorted(self.end_ids) or None,
            max_tokens=sampling.max_tokens,
            skip_special_tokens=True,
        )

    def _read(self, output: Any, prompt_tokens: int, sampling: Sampling) -> Answer:
        completion = output.outputs[0]
        text, _ = cut_at(str(completion.text), sampling.stop)
        finish = completion.finish_reason or "stop"
        return Answer(text, finish, prompt_tokens=prompt_tokens, n_tokens=len(completion.token_ids))


def load_engine_policy(
    path_or_id: str | os.PathLike[str],
    *,
    dtype: DTypeName = "float32",
    max_length: int | None = None,
    trust_remote_code: bool = False,
    gpus: int = 1,
) -> EnginePolicy:
    """Start vLLM's engine on a causal language model (a folder or hub id).

    Args:
        path_or_id: local folder or hub id.
        dtype: ``float32``, ``bfloat16`` or ``auto`` (vLLM: as saved, float16 for float32).
        max_length: most tokens of a prompt and its answer; default: all that the model takes.
        trust_remote_code: run Python code that comes with the model.
        gpus: GPUs that share the model.

    Raises:
        ModelError: the model cannot be read, or the engine does not start.
        MissingExtra: vllm is not installed.
    """
    check_dtype(dtype)
    folder = model_folder(path_or_id)
    vllm, source = require("vllm", extra="vllm"), os.fspath(path_or_id)
    with quiet():
        tokenizer = read_tokenizer(folder, trust_remote_code=trust_remote_code)
    try:
        engine = vllm.LLM(
            model=str(folder),
            dtype=dtype,
            max_model_len=max_length,
            trust_remote_code=trust_remote_code,
            tensor_parallel_size=gpus,
            seed=0,
        )
        length = int(engine.llm_engine.model_config.max_model_len)
    except (
        Exception
    ) as error:  # no GPU, no memory, an architecture that it does not know: many ways to say no
        raise ModelError(
            f"vLLM does not start: {type(error).__name__}: {first_line(error)}",
            where=source,
            fix="see its log above; give it a smaller --max-length or more --gpus, or use hf: in place of vllm:",
        ) from error
    files = fingerprint(folder)
    about = template_record(tokenizer) | {
        "dtype": dtype,
        "max_length": length,
        "versions": versions(("vllm",)),
    }
    return EnginePolicy(
        engine=engine,
        tokenizer=tokenizer,
        max_length=length,
        source=source,
        # Another engine rounds in other ways: its version is part of what decides an answer.
        fingerprint=content_key(
            *("vllm policy", _WAY, files, dtype, length, trust_remote_code, versions(("vllm",)).get("vllm")),
            *layout_words(tokenizer),
        ),
        end_ids=end_tokens(tokenizer, _generation_config(folder)),
        about={"files": files} | about,
    )


def _generation_config(folder: Any) -> Any:
    """The checkpoint's generation settings; None where it has none."""
    try:
        return require("transformers").GenerationConfig.from_pretrained(folder)
    except OSError:
        return None
