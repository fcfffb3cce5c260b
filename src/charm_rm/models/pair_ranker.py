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

import functools
import hashlib
import json
import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..conversations import prompt_text
from ..errors import CharmWarning, ConfigError, ModelError
from ..judging import Verdict
from ..protocols import Prompt
from ..statistics import sigmoid
from ..tables import as_messages
from .devices import device_kind, one_device
from .extras import require
from .loading.checkpoint import Checkpoint
from .loading.folders import model_folder
from .loading.libraries import as_model_error, quiet
from .loading.source import Source, find_source, source_fingerprint
from .loading.state import headless, load_backbone, load_classifier
from .loading.tokenizers import load_tokenizer
from .precision import check_dtype
from .scoring.batching import collate, set_pad_token
from .scoring.encoding import Encoded, resolve_max_length
from .scoring.engine import run_rows
from .scoring.launched import Launched
from .scoring.local import Memory
from .scoring.shortening import PROMPT_SHARE

TOKEN_BUDGET = {"cpu": 4096, "cuda": 32768}
PAIRRM_LENGTH, PAIRRM_SOURCE = 2048, 1224
PREFIXES = ("<|source|>", "<|candidate1|>", "<|candidate2|>")
_INSTRUCTION = (
    "Finish the following coversation in each i-th turn by filling in <Response i> with your response."
)
_SLOT = re.compile(r"\{(?:prompt|first|second)\}")
RankerLayout = Literal["pairrm", "classifier"]


@dataclass(frozen=True)
class EncodedTrio:
    """Token ids of prompt and both responses; ``marks``: where PairRM's three special tokens are."""

    encoded: Encoded
    marks: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.encoded)

    @property
    def truncated(self) -> bool:
        """True where text was left out."""
        return self.encoded.truncated


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
        torch = require("torch")
        inputs = collate([row.encoded for row in batch], pad_token_id=self.pad_token_id)
        marks = torch.tensor([row.marks for row in batch], device=self.device)
        with torch.inference_mode():
            return Launched.of(self.logits({k: v.to(self.device) for k, v in inputs.items()}, marks))

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
        ConfigError: a setting is out of the question.
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
            raise ConfigError("PairRM has a layout of its own", mend="leave template out")
        build = _pairrm if layout == "pairrm" else _classifier
        model, logits, encode, limit = build(source, tokenizer, max_length, template, first_output)
    numerics = [limit, str(model.dtype), device_kind(place)]
    settings = json.dumps([source_fingerprint(source), layout, template, first_output, *numerics])
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
    )


# --- PairRM -------------------------------------------------------------------------------------


def _pairrm(source: Source, tokenizer: Any, max_length: int | None, *_others: Any) -> tuple[Any, ...]:
    from .loading.heads import PairHead

    checkpoint = Checkpoint(source.folder)
    layers = [
        tuple(checkpoint.tensor(f"head_layer.{i}.{part}") for part in ("weight", "bias")) for i in (1, 4)
    ]
    model = PairHead(load_backbone(source, checkpoint), layers)
    asked = [source.config[k] for k in ("source_prefix_id", "cand1_prefix_id", "cand2_prefix_id")]
    if [tokenizer.convert_tokens_to_ids(p) for p in PREFIXES] != asked:
        raise ModelError(
            f"the tokenizer does not have {', '.join(PREFIXES)} where config.json says",
            where=str(source.folder),
        )
    limit = PAIRRM_LENGTH if max_length is None else max_length
    if limit < 16:
        raise ConfigError(
            f"max_length {limit} leaves no room for text", mend="raise it, or leave it out for 2048"
        )
    encode = functools.partial(_encode_pairrm, tokenizer, limit)
    return model, lambda inputs, marks: model(marks=marks, **inputs), encode, limit


def _encode_pairrm(tokenizer: Any, limit: int, prompt: Prompt, first: str, second: str) -> EncodedTrio:
    """As its authors do: the prompt keeps its share, the two responses divide the rest; each loses its end."""
    ids: list[int] = []
    marks, truncated = [], False
    room = limit * PAIRRM_SOURCE // PAIRRM_LENGTH
    for prefix, text in zip(PREFIXES, _pairrm_texts(as_messages(prompt), first, second), strict=True):
        whole = tokenizer(prefix + text, verbose=False)["input_ids"]
        part = tokenizer(prefix + text, max_length=room, truncation=True)["input_ids"]
        truncated |= len(part) < len(whole)
        marks.append(len(ids) + part.index(tokenizer.convert_tokens_to_ids(prefix)))
        ids += part
        room = (limit - len(ids)) // 2 if prefix == PREFIXES[0] else room
    return EncodedTrio(Encoded(ids, truncated=truncated), tuple(marks))


def _pairrm_texts(messages: list[dict[str, str]], first: str, second: str) -> tuple[str, str, str]:
    """One message as it is; several in the form that its authors trained conversations in."""
    if len(messages) == 1:
        return messages[0]["content"], first, second
    roles = [m["role"] for m in messages]
    if roles != ["user", "assistant"] * (len(roles) // 2) + ["user"]:
        raise ModelError(
            f"PairRM takes conversations of user and assistant in turn, not {', '.join(roles)}",
            mend="leave system messages out, or put them into the first user message",
        )
    asked, answered = messages[::2], [m["content"] for m in messages[1::2]]
    turns = "\n".join(f"USER: {m['content']}\nAssistant: <Response {i}>" for i, m in enumerate(asked, 1))
    a, b = (
        "\n".join(f"<Response {i}>: {text}" for i, text in enumerate([*answered, last], 1))
        for last in (first, second)
    )
    return _INSTRUCTION + turns, a, b


# --- classifiers --------------------------------------------------------------------------------


def _classifier(
    source: Source, tokenizer: Any, max_length: int | None, template: str | None, first_output: int
) -> tuple[Any, ...]:
    n_outputs = len(source.config.get("id2label") or {}) or 2
    if n_outputs > 2:
        raise ModelError(
            f"the model has {n_outputs} outputs; one that compares two responses has 1 or 2",
            where=str(source.folder),
        )
    model, missing = load_classifier(source, n_outputs)
    if missing:
        raise headless(source.folder, missing)
    form = template or (tokenizer.sep_token or "\n\n").join(("{prompt}", "{first}", "{second}"))
    if sorted(_SLOT.findall(form)) != ["{first}", "{prompt}", "{second}"]:
        raise ConfigError(
            f"template {form!r} does not have {{prompt}}, {{first}} and {{second}} once each",
            mend="put them in",
        )
    limit = resolve_max_length(tokenizer, model.config, max_length)
    encode = functools.partial(_encode_text, tokenizer, limit, form)
    set_pad_token(model, tokenizer, last=encode("a", "b", "c").encoded.input_ids[-1])

    def logits(inputs: dict[str, Any], _marks: Any) -> Any:
        outputs = model(**inputs).logits.float()
        return outputs[:, 0] if n_outputs == 1 else outputs[:, first_output] - outputs[:, 1 - first_output]

    return model, logits, encode, limit


def _encode_text(
    tokenizer: Any, limit: int, form: str, prompt: Prompt, first: str, second: str
) -> EncodedTrio:
    """The template filled in; where that is too long, the prompt loses its beginning and the responses their ends."""
    parts = {"{prompt}": prompt_text(prompt), "{first}": first, "{second}": second}
    ids, types = _tokens(tokenizer, form, parts)
    if len(ids) <= limit:
        return EncodedTrio(Encoded(ids, types))
    tokens = {k: tokenizer(v, add_special_tokens=False, verbose=False)["input_ids"] for k, v in parts.items()}
    room = limit - len(_tokens(tokenizer, form, dict.fromkeys(parts, ""))[0])
    if room < 3:
        raise ConfigError(f"max_length {limit} leaves no room for text", mend="raise max_length")
    while len(ids) > limit:  # text that is cut may come to more tokens than the tokens that it was cut to
        keep = _shares(*(len(tokens[k]) for k in parts), room=room)
        cut = {
            "{prompt}": tokens["{prompt}"][len(tokens["{prompt}"]) - keep[0] :],
            "{first}": tokens["{first}"][: keep[1]],
            "{second}": tokens["{second}"][: keep[2]],
        }
        ids, types = _tokens(tokenizer, form, {k: tokenizer.decode(v) for k, v in cut.items()})
        room -= max(1, len(ids) - limit)
        if room < 0:
            raise ConfigError(f"max_length {limit} leaves no room for text", mend="raise max_length")
    return EncodedTrio(Encoded(ids, types, truncated=True))


def _tokens(tokenizer: Any, form: str, parts: dict[str, str]) -> tuple[list[int], list[int] | None]:
    """Ids and token types of the filled template, closed by EOS where the tokenizer closes nothing itself."""
    made = tokenizer(_SLOT.sub(lambda slot: parts[slot[0]], form), verbose=False)
    ids, types, eos = made["input_ids"], made.get("token_type_ids"), tokenizer.eos_token_id
    closing = {eos, tokenizer.sep_token_id} - {None}
    if eos is not None and (not ids or ids[-1] not in closing):
        return [*ids, eos], None if types is None else [*types, types[-1] if types else 0]
    return ids, types


def _shares(prompt: int, first: int, second: int, *, room: int) -> tuple[int, int, int]:
    """Tokens that each part keeps: the prompt at least a quarter, the responses the rest in equal shares."""
    kept = min(prompt, max(int(PROMPT_SHARE * room), room - first - second))
    rest = room - kept
    kept_first = min(first, max(rest // 2, rest - second))
    return kept, kept_first, min(second, rest - kept_first)
