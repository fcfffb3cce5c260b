"""(prompt, response) -> the token ids that a reward model sees, in scoring and in training alike.

Three layouts, chosen by the tokenizer (:func:`choose_layout`):

``chat``   the tokenizer's own chat template. It is rendered to text and tokenised without adding special
           tokens, so a BOS that the template writes is there once. Templates that print today's date
           get a fixed one (:mod:`..rendering`), so that a score does not depend on the day.
``pair``   encoders without a template (BERT, MiniLM, DeBERTa): the tokenizer's sentence pair
           ``[CLS] prompt [SEP] response [SEP]``, with token type ids where the tokenizer has them.
``plain``  decoders without a template: ``User: prompt\\n\\nAssistant: response`` and the EOS token.

In ``pair`` and ``plain`` a prompt of several messages becomes ``Role: content`` blocks with a blank line between.

Truncation is never silent (``Encoded.truncated``) and never cuts tokens off the rendered text: the
contents are shortened and laid out again, so that turn markers and the closing EOS or turn end stay.
Of the room for contents, the prompt gives way first, its oldest text first, down to a quarter; then
the response loses its end. A response is therefore never lost to a long prompt, and always keeps its
beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

from ...conversations import Messages, labelled_text, prompt_text
from ...errors import ConfigError, ModelError
from ...protocols import Prompt
from ...tables import as_messages
from ..rendering import render_chat
from .positions import position_limit
from .shortening import Encoded as Encoded
from .shortening import Shortener, TokenizedTexts, Turns, in_chunks

Layout = Literal["auto", "chat", "pair", "plain"]

_UNLIMITED = 1_000_000
# What the tokenizer returns for a text is some hundred times the text's size: no more than this at once.
TEXTS_PER_CALL, _LONG_TEXTS_PER_CALL = 1024, 128


class ResponseEncoder:
    """Encodes (prompt, response) for one tokenizer; see the module's docstring for the layouts.

    Args:
        tokenizer: any Hugging Face tokenizer.
        max_length: most tokens per sequence, special tokens included (:func:`resolve_max_length`).
        layout: ``auto`` or one of the three by name.
    """

    def __init__(self, tokenizer: Any, max_length: int, *, layout: Layout = "auto") -> None:
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.layout = choose_layout(tokenizer) if layout == "auto" else layout
        self._lay_out: Callable[[Sequence[Turns]], list[Encoded]] = {
            "chat": self._chat,
            "pair": self._pair,
            "plain": self._plain,
        }[self.layout]

    def encode(self, prompt: Prompt, response: str) -> Encoded:
        """Return the ids of the whole conversation, shortened to ``max_length`` where it is longer."""
        return self.encode_many([prompt], [response])[0]

    def encode_many(self, prompts: Sequence[Prompt], responses: Sequence[str]) -> list[Encoded]:
        """:meth:`encode` of each prompt with its response: the same ids, the tokenizer called with many texts."""
        rows = [(as_messages(p), r) for p, r in zip(prompts, responses, strict=True)]
        return [e for some in in_chunks(rows, TEXTS_PER_CALL) for e in self._encode(some)]

    def _encode(self, rows: Sequence[Turns]) -> list[Encoded]:
        encoded = self._lay_out(rows)
        long = [i for i, e in enumerate(encoded) if len(e) > self.max_length]
        for some in in_chunks(long, _LONG_TEXTS_PER_CALL):
            texts = TokenizedTexts(self.tokenizer)
            shortener = Shortener(self._lay_out, texts, self.max_length, self.layout)
            for i, short in zip(some, shortener.shorten([rows[i] for i in some]), strict=True):
                encoded[i] = replace(short, truncated=True)
        return encoded

    # --- layouts --------------------------------------------------------------------------------

    def _chat(self, rows: Sequence[Turns]) -> list[Encoded]:
        texts = [render_chat(self.tokenizer, with_response(*row)) for row in rows]
        tokens = self.tokenizer(texts, add_special_tokens=False, verbose=False)
        return [Encoded(ids) for ids in tokens["input_ids"]]

    def _pair(self, rows: Sequence[Turns]) -> list[Encoded]:
        # Always as a batch: alone, an empty response would be taken for no second sentence at all.
        prompts, responses = [prompt_text(m) for m, _ in rows], [r for _, r in rows]
        tokens = self.tokenizer(prompts, responses, verbose=False)
        types = tokens.get("token_type_ids") or [None] * len(rows)
        return [Encoded(i, t) for i, t in zip(tokens["input_ids"], types, strict=True)]

    def _plain(self, rows: Sequence[Turns]) -> list[Encoded]:
        texts = [labelled_text(with_response(*row)) for row in rows]
        return [Encoded(self._closed(ids)) for ids in self.tokenizer(texts, verbose=False)["input_ids"]]

    def _closed(self, ids: list[int]) -> list[int]:
        """The ids with EOS at their end, where the tokenizer has one and did not put it there."""
        eos = self.tokenizer.eos_token_id
        return ids if eos is None or (len(ids) > 0 and ids[-1] == eos) else [*ids, eos]


def choose_layout(tokenizer: Any) -> Literal["chat", "pair", "plain"]:
    """Chat template where there is one, sentence pair where there is a CLS and a SEP token, else plain."""
    if tokenizer.chat_template:
        return "chat"
    is_encoder = tokenizer.cls_token_id is not None and tokenizer.sep_token_id is not None
    return "pair" if is_encoder else "plain"


def last_token(encoder: ResponseEncoder, *, where: str) -> int:
    """The token that conversations end with.

    Raises:
        ModelError: a conversation becomes no token at all.
    """
    ids = encoder.encode("a", "b").input_ids
    if not ids:
        raise ModelError(
            "its chat template, or its tokenizer, makes nothing of a conversation: no token is left to score",
            where=where,
            fix="take chat template and tokenizer files from where the model came from",
        )
    return int(ids[-1])


def resolve_max_length(tokenizer: Any, config: Any, requested: int | None = None) -> int:
    """The most tokens per sequence: ``requested``, or all that tokenizer and model allow without being stretched.

    Raises:
        ConfigError: ``requested`` is beyond the model's positions, or not positive.
    """
    limit = min(position_limit(config) or _UNLIMITED, int(min(tokenizer.model_max_length, _UNLIMITED)))
    if requested is None:
        return limit
    limit = min(
        position_limit(config, stretched=True) or _UNLIMITED, int(min(tokenizer.model_max_length, _UNLIMITED))
    )
    if not 0 < requested <= limit:
        raise ConfigError(
            f"max_length {requested} is not between 1 and the {limit} tokens that this model takes",
            fix=f"give --max-length (max_length= in Python) at most {limit}, or leave it out for all {limit}",
        )
    return requested


def with_response(messages: Messages, response: str) -> Messages:
    """The conversation with the response as its last turn."""
    return [*messages, {"role": "assistant", "content": response}]
