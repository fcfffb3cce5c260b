"""(prompt, response) -> the token ids that a reward model sees, in scoring and in training alike.

Three layouts, chosen by the tokenizer (:func:`choose_layout`):

``chat``   the tokenizer's own chat template. It is rendered to text and tokenised without adding special
           tokens, so a BOS that the template writes is there once. Templates that print today's date
           get :data:`PINNED_DATE`, so that a score does not depend on the day.
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

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import ConfigError, ModelError
from ..protocols import Prompt
from ..tables import as_messages

Messages = list[dict[str, str]]
Layout = Literal["auto", "chat", "pair", "plain"]

# The date that Llama's own template falls back to.
PINNED_DATE = datetime.date(2024, 7, 26)
# Share of the room for contents that the prompt keeps when both prompt and response are long.
PROMPT_SHARE = 0.25
_UNLIMITED = 1_000_000


@dataclass(frozen=True)
class Encoded:
    """Token ids of one (prompt, response), special tokens included; ``truncated``: text was left out."""

    input_ids: list[int]
    token_type_ids: list[int] | None = None
    truncated: bool = False

    def __len__(self) -> int:
        return len(self.input_ids)


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
        self._lay_out: Callable[[Messages, str], Encoded] = {
            "chat": self._chat,
            "pair": self._pair,
            "plain": self._plain,
        }[self.layout]

    def encode(self, prompt: Prompt, response: str) -> Encoded:
        """Return the ids of the whole conversation, shortened to ``max_length`` where it is longer."""
        messages = as_messages(prompt)
        encoded = self._lay_out(messages, response)
        return encoded if len(encoded) <= self.max_length else self._shortened(messages, response)

    # --- layouts --------------------------------------------------------------------------------

    def _chat(self, messages: Messages, response: str) -> Encoded:
        turns = [*messages, {"role": "assistant", "content": response}]
        try:
            text = self.tokenizer.apply_chat_template(
                turns,
                chat_template=pin_clock(self.tokenizer.get_chat_template()),
                date_string=_date("%d %b %Y"),
                tokenize=False,
            )
        except Exception as error:  # a template is a program of the model's author: anything may come
            raise ModelError(
                f"the chat template refuses a conversation of {', '.join(m['role'] for m in turns)}: {error}",
                mend="check the roles and their order, or use layout='plain'",
            ) from error
        return Encoded(self._ids(text))

    def _pair(self, messages: Messages, response: str) -> Encoded:
        # As a batch of one: alone, an empty response would be taken for no second sentence at all.
        tokens = self.tokenizer([plain_text(messages)], [response], verbose=False)
        types = tokens.get("token_type_ids")
        return Encoded(tokens["input_ids"][0], types[0] if types else None)

    def _plain(self, messages: Messages, response: str) -> Encoded:
        turns = [*messages, {"role": "assistant", "content": response}]
        ids = self.tokenizer(_labelled(turns), verbose=False)["input_ids"]
        eos = self.tokenizer.eos_token_id
        closed = eos is None or (len(ids) > 0 and ids[-1] == eos)
        return Encoded(ids if closed else [*ids, eos])

    # --- truncation -----------------------------------------------------------------------------

    def _shortened(self, messages: Messages, response: str) -> Encoded:
        """Lay out less and less text until it fits (cut text may tokenise a little longer than its share)."""
        messages = self._without_lost_turns(messages, response)
        limit = self.max_length
        while True:
            keep_prompt, keep_response = self._shares(messages, response, limit)
            encoded = self._lay_out(self._newest(messages, keep_prompt), self._head(response, keep_response))
            if len(encoded) <= self.max_length:
                return Encoded(encoded.input_ids, encoded.token_type_ids, truncated=True)
            limit -= len(encoded) - self.max_length

    def _without_lost_turns(self, messages: Messages, response: str) -> Messages:
        """Drop the oldest turns of which nothing could stay; what is left begins with a user turn."""
        while rest := _after_oldest_turn(messages):
            kept = self._frame(messages) + self._content(rest) + self._count(response)
            if kept < self.max_length:
                break
            messages = rest
        return messages

    def _shares(self, messages: Messages, response: str, limit: int) -> tuple[int, int]:
        """Tokens that prompt and response may keep, so that the whole stays within ``limit``."""
        room = limit - self._frame(messages)
        if room < 2:
            raise ConfigError(
                f"max_length {self.max_length} leaves no room for text: "
                f"the {self.layout} layout alone takes {self._frame(messages)} tokens",
                mend="raise max_length",
            )
        in_prompt, in_response = self._content(messages), self._count(response)
        keep_response = min(in_response, max(room - in_prompt, room - int(PROMPT_SHARE * room)))
        return min(in_prompt, room - keep_response), keep_response

    def _newest(self, messages: Messages, n: int) -> Messages:
        """The messages with only the last ``n`` tokens of their contents; their roles all stay."""
        kept: Messages = []
        for message in reversed(messages):
            kept.append({**message, "content": self._tail(message["content"], n)})
            n = max(0, n - self._count(message["content"]))
        return kept[::-1]

    def _frame(self, messages: Messages) -> int:
        """Tokens of the layout alone: special tokens, turn markers, role names."""
        return len(self._lay_out([{**m, "content": ""} for m in messages], ""))

    def _content(self, messages: Messages) -> int:
        return sum(self._count(m["content"]) for m in messages)

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    def _count(self, text: str) -> int:
        return len(self._ids(text)) if text else 0

    def _head(self, text: str, n: int) -> str:
        """The text's first ``n`` tokens."""
        if self._count(text) <= n:
            return text
        offsets = self._offsets(text)
        if offsets is None:
            return str(self.tokenizer.decode(self._ids(text)[:n]))
        return text[: offsets[n - 1][1]] if n else ""

    def _tail(self, text: str, n: int) -> str:
        """The text's last ``n`` tokens."""
        if self._count(text) <= n:
            return text
        if n == 0:
            return ""
        offsets = self._offsets(text)
        if offsets is None:
            return str(self.tokenizer.decode(self._ids(text)[-n:]))
        return text[offsets[-n][0] :]

    def _offsets(self, text: str) -> list[tuple[int, int]] | None:
        """Where each token lies in the text; None for the slow tokenizers that cannot say."""
        if not getattr(self.tokenizer, "is_fast", False):
            return None
        tokens = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        offsets: list[tuple[int, int]] = tokens["offset_mapping"]
        return offsets


def choose_layout(tokenizer: Any) -> Literal["chat", "pair", "plain"]:
    """Chat template where there is one, sentence pair where there is a CLS and a SEP token, else plain."""
    if tokenizer.chat_template:
        return "chat"
    is_encoder = tokenizer.cls_token_id is not None and tokenizer.sep_token_id is not None
    return "pair" if is_encoder else "plain"


def resolve_max_length(tokenizer: Any, config: Any, requested: int | None = None) -> int:
    """The most tokens per sequence: ``requested``, or all that tokenizer and model allow.

    Raises:
        ConfigError: ``requested`` is beyond the model's positions, or not positive.
    """
    positions = getattr(config, "max_position_embeddings", None) or _UNLIMITED
    if getattr(config, "model_type", "") in _OFFSET_POSITIONS:
        positions -= (config.pad_token_id or 0) + 1
    limit = min(int(positions), int(min(tokenizer.model_max_length, _UNLIMITED)))
    if requested is None:
        return limit
    if not 0 < requested <= limit:
        raise ConfigError(
            f"max_length {requested} is not between 1 and the {limit} tokens that this model takes",
            mend=f"give at most {limit}, or leave it out for all {limit}",
        )
    return requested


def pin_clock(template: str) -> str:
    """The template with the clock that it may ask for the date, ``strftime_now``, stopped at PINNED_DATE.

    Transformers passes no functions into templates, so a macro of that name goes before the template.
    """
    if "strftime_now" not in template:
        return template
    codes = ("%-d", "%-m", *(f"%{c}" for c in "aAbBdmyYjHIpMSFDxXc"))
    filled = "".join(f" | replace('{code}', '{_date(code)}')" for code in codes)
    return f"{{%- macro strftime_now(form) -%}}{{{{ form{filled} }}}}{{%- endmacro %}}\n{template}"


def plain_text(messages: Messages) -> str:
    """A prompt as text: one message as it is, several as ``Role: content`` blocks."""
    return messages[0]["content"] if len(messages) == 1 else _labelled(messages)


# RoBERTa and its kin number positions from pad_token_id + 1.
_OFFSET_POSITIONS = frozenset(
    {"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "longformer", "mpnet"}
)


def _labelled(messages: Messages) -> str:
    return "\n\n".join(f"{m['role'].capitalize()}: {m['content']}".rstrip() for m in messages)


def _date(form: str) -> str:
    return PINNED_DATE.strftime(form)


def _after_oldest_turn(messages: Messages) -> Messages:
    """The messages from the second user turn on; empty where there is none."""
    later = [i for i, m in enumerate(messages) if i > 0 and m["role"] == "user"]
    return messages[later[0] :] if later else []
