"""A sequence classifier over one text that holds the prompt and both responses."""

from __future__ import annotations

import functools
import re
from typing import Any

from ...conversations import prompt_text
from ...errors import ConfigError, ModelError
from ...protocols import Prompt
from ..loading.config import find_outputs
from ..loading.source import Source
from ..loading.state import headless, load_classifier
from ..scoring.batching import set_pad_token
from ..scoring.encoding import Encoded, resolve_max_length
from ..scoring.shortening import PROMPT_SHARE
from .row import EncodedTrio

_SLOT = re.compile(r"\{(?:prompt|first|second)\}")


def build_classifier(
    source: Source, tokenizer: Any, max_length: int | None, template: str | None, first_output: int
) -> tuple[Any, ...]:
    n_outputs, _ = find_outputs(source)
    if n_outputs > 2:
        raise ModelError(
            f"the model has {n_outputs} outputs; one that compares two responses has 1 or 2",
            where=str(source.folder),
            fix="use a model that compares two responses; a reward model goes to `charm score`",
        )
    model, missing = load_classifier(source, n_outputs)
    if missing:
        raise headless(source.folder, missing)
    form = template or (tokenizer.sep_token or "\n\n").join(("{prompt}", "{first}", "{second}"))
    if sorted(_SLOT.findall(form)) != ["{first}", "{prompt}", "{second}"]:
        raise ConfigError(
            f"template {form!r} does not have {{prompt}}, {{first}} and {{second}} once each",
            fix="put them in",
        )
    limit = resolve_max_length(tokenizer, model.config, max_length)
    encode = functools.partial(_encode, tokenizer, limit, form)
    set_pad_token(model, tokenizer, last=encode("a", "b", "c").encoded.input_ids[-1])

    def logits(inputs: dict[str, Any], _marks: Any) -> Any:
        outputs = model(**inputs).logits.float()
        return outputs[:, 0] if n_outputs == 1 else outputs[:, first_output] - outputs[:, 1 - first_output]

    return model, logits, encode, limit


def _encode(tokenizer: Any, limit: int, form: str, prompt: Prompt, first: str, second: str) -> EncodedTrio:
    """The template filled in; where that is too long, the prompt loses its beginning and the responses their ends."""
    parts = {"{prompt}": prompt_text(prompt), "{first}": first, "{second}": second}
    ids, types = _tokens(tokenizer, form, parts)
    if len(ids) <= limit:
        return EncodedTrio(Encoded(ids, types))
    tokens = {k: tokenizer(v, add_special_tokens=False, verbose=False)["input_ids"] for k, v in parts.items()}
    room = limit - len(_tokens(tokenizer, form, dict.fromkeys(parts, ""))[0])
    if room < 3:
        raise ConfigError(
            f"max_length {limit} leaves no room for text", fix="raise --max-length (max_length= in Python)"
        )
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
            raise ConfigError(
                f"max_length {limit} leaves no room for text",
                fix="raise --max-length (max_length= in Python)",
            )
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
