"""A conversation as tokens up to where the answer begins, and a model that adds nothing of its own to how it is asked."""

from __future__ import annotations

import re
from typing import Any

from ..conversations import labelled_text
from ..errors import ModelError
from ..judging.chat import Messages
from .extras import require
from .rendering import render_chat, system_message
from .scoring.encoding import choose_layout


def opening_ids(tokenizer: Any, conversation: Messages, *, where: str) -> list[int]:
    """The conversation's tokens through the chat template, or as labelled text; turn marks that its texts spell out are no marks.

    Where a template has no place for a system message (Gemma's refuses it, others leave it out without a word), its words go before
    the first request, as part of it (:func:`joins_system` says so).

    Raises:
        ModelError: the template refuses the conversation.
    """
    turns = [{**m, "content": _as_text(tokenizer, m["content"])} for m in conversation]
    if choose_layout(tokenizer) != "chat":
        text = labelled_text([*turns, {"role": "assistant", "content": ""}])
        return _ids(tokenizer, text)
    try:
        text = render_chat(tokenizer, turns, open_turn=True, where=where)
    except ModelError:
        if not _has_system(turns):
            raise
        text = render_chat(tokenizer, _joined(turns), open_turn=True, where=where)
    if _has_system(turns) and turns[0]["content"].strip() not in text and joins_system(tokenizer):
        text = render_chat(tokenizer, _joined(turns), open_turn=True, where=where)
    return _ids(tokenizer, text, add_special_tokens=False)


def joins_system(tokenizer: Any) -> bool:
    """Whether the words of a system message go before the first request, as the chat template has no place for them."""
    return choose_layout(tokenizer) == "chat" and system_message(tokenizer) != "kept"


def layout_words(tokenizer: Any) -> tuple[str, ...]:
    """What a fingerprint says of how conversations are laid out, besides the files: templates that leave a system message out are read otherwise than once."""
    lost = choose_layout(tokenizer) == "chat" and system_message(tokenizer) == "left out"
    return ("system message joined to the first request",) if lost else ()


def _has_system(turns: Messages) -> bool:
    return len(turns) > 1 and turns[0]["role"] == "system"


def _joined(turns: Messages) -> Messages:
    """The conversation with the system message's words before the first request."""
    return [
        {"role": "user", "content": f"{turns[0]['content']}\n\n{turns[1]['content']}"},
        *turns[2:],
    ]


def _ids(tokenizer: Any, text: str, **options: Any) -> list[int]:
    ids: list[int] = tokenizer(text, verbose=False, **options)["input_ids"]
    return ids


def _as_text(tokenizer: Any, content: str) -> str:
    """The content with a zero-width space in whatever the tokenizer would take for a token of its own.

    A text that spells out a turn's end would otherwise end the turn, and could go on in another's name.
    """
    special = _special_tokens(tokenizer)
    if not special:
        return content
    pattern = "|".join(map(re.escape, special))
    return re.sub(pattern, lambda found: f"{found[0][0]}\u200b{found[0][1:]}", content)


def _special_tokens(tokenizer: Any) -> list[str]:
    """All that is read as a token of its own, longest first: the named ones, and turn marks among the added ones."""
    added = (t.content for t in tokenizer.added_tokens_decoder.values() if t.special)
    return sorted({t for t in (*tokenizer.all_special_tokens, *added) if len(t) > 1}, key=len, reverse=True)


def end_tokens(tokenizer: Any, generation_config: Any) -> frozenset[int]:
    """The tokens that end an answer: the tokenizer's, and those that the checkpoint's generation settings add."""
    saved = getattr(generation_config, "eos_token_id", None)
    ends = {tokenizer.eos_token_id} | (set(saved) if isinstance(saved, list) else {saved})
    return frozenset(int(i) for i in ends if i is not None)


def set_greedy(model: Any, tokenizer: Any) -> frozenset[int]:
    """Greedy and nothing else: no temperature or penalty that the checkpoint brings. Returns the tokens that end an answer."""
    end_ids = sorted(end_tokens(tokenizer, model.generation_config))
    # Padding is masked out and stands before the text, so any token will do.
    pad, size = tokenizer.pad_token_id, model.get_input_embeddings().num_embeddings
    if pad is None or not 0 <= pad < size:
        pad = (end_ids or [0])[0]
    model.generation_config = require("transformers").GenerationConfig(
        do_sample=False, num_beams=1, eos_token_id=end_ids or None, pad_token_id=pad
    )
    return frozenset(end_ids)
