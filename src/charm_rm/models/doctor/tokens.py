"""Tokens with a job: pad, EOS, turn end, unknown; and text that happens to spell one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..scoring.encoding import last_token
from ..scoring.reward import RewardModel
from ..scoring.unknown import UNKNOWN_LIMIT, unknown_share
from .check import Check, show_tokens

# Our own lines, one a script, and code: what a tokenizer of one language alone cannot spell.
_SCRIPTS = {
    "English": "The river is wide, but the boat is small.",
    "French": "L'été dernier, nous avons goûté des pêches à Orléans.",
    "Polish": "Zażółć gęślą jaźń, a potem odpocznij.",
    "Russian": "Завтра утром мы поедем к морю.",
    "Arabic": "ذهبنا إلى السوق واشترينا الخبز.",
    "Hindi": "आज मौसम बहुत अच्छा है।",
    "Chinese": "明天我们去图书馆看书。",
    "Japanese": "駅まで歩いて十分かかります。",
    "Korean": "오늘은 비가 와서 집에 있었어요.",
    "code": "def f(x: int) -> int:\n\treturn {'a': x ** 2}['a']  # ok",
    "symbols": "∑ x² ≈ 3.14 → 😀 ✓ €5",
}


def check_pad(model: RewardModel) -> Check:
    """Pad, EOS and the token that conversations end with; decoders find the end by what is not pad."""
    tokenizer = model.encoder.tokenizer
    last = last_token(model.encoder, where=model.source)
    pad, eos, saved = model.pad_token_id, tokenizer.eos_token_id, _saved_pad(tokenizer)
    told = getattr(model.model.config.get_text_config(), "pad_token_id", None)
    data = {"pad": pad, "eos": eos, "last": last, "saved_pad": saved, "model_pad": told}
    found = ", ".join(
        f"{name} {'none' if token is None else show_tokens(tokenizer, [token])}"
        for name, token in (("pad", pad), ("EOS", eos), ("conversations end with", last))
    )
    if model.encoder.layout == "pair":
        return Check("pad", "ok", found, data=data)
    if told != pad:
        return Check(
            "pad",
            "fail",
            f"rows are padded with {pad}, but the model takes {told} for the pad token ({found})",
            fix=f"set pad_token_id to {pad} in config.json",
            data=data,
        )
    if pad in (eos, last):
        return Check(
            "pad",
            "fail",
            f"the pad token also ends turns, so the head reads the wrong position ({found})",
            fix="give the tokenizer a pad token of its own",
            data=data,
        )
    if saved is not None and saved in (eos, last):
        return Check(
            "pad",
            "warn",
            f"the saved pad token {show_tokens(tokenizer, [saved])} also ends turns; scoring here pads with "
            f"{show_tokens(tokenizer, [pad])} instead",
            fix="nothing for scores made here; other software may read the score at the wrong token: "
            "save the model with a pad token of its own",
            details=[found],
            data=data,
        )
    return Check("pad", "ok", found, data=data)


def check_unknown(model: RewardModel, responses: Sequence[str] = (), *, ours: bool = False) -> Check:
    """How much of ordinary text in eleven scripts and kinds, and of the responses, the tokenizer cannot spell.

    Above 5 % of the responses' tokens the scores would be of other texts: that fails. ``ours``: the responses are the
    built-in ones, which a model of one script need not know; then all samples must be lost, too.
    """
    tokenizer = model.encoder.tokenizer
    if tokenizer.unk_token_id is None:
        return Check("unknown", "ok", "the tokenizer has no unknown token: it spells everything")
    shares = {name: unknown_share(tokenizer, [text]) for name, text in _SCRIPTS.items()}
    lost = [f"{name} {share:.0%}" for name, share in shares.items() if share > UNKNOWN_LIMIT]
    of_responses = unknown_share(tokenizer, responses)
    if of_responses > UNKNOWN_LIMIT and not (ours and len(lost) < len(shares)):
        return Check(
            "unknown",
            "fail",
            f"{of_responses:.0%} of the tokens in these responses are unknown (the limit is {UNKNOWN_LIMIT:.0%})",
            fix="use the tokenizer that the model was trained with, or a model that reads these scripts",
            details=[f"unknown tokens in samples: {', '.join(lost)}"] if lost else (),
            data=shares | {"responses": of_responses},
        )
    if not lost:
        return Check(
            "unknown",
            "ok",
            f"at most {max(shares.values()):.1%} of the tokens in {len(_SCRIPTS)} samples",
            data=shares,
        )
    return Check(
        "unknown",
        "warn",
        f"the tokenizer cannot spell part of the text: {', '.join(lost)} unknown tokens",
        fix="leave such responses out, or use a model whose tokenizer knows these scripts",
        data=shares,
    )


def check_special_text(model: RewardModel, responses: Sequence[str]) -> Check:
    """Responses that spell a special token, which is then read as that token."""
    names = _special_names(model.encoder.tokenizer)
    spelt: Counter[str] = Counter()
    holding = 0
    for text in responses:
        inside = [name for name in names if name in text]
        spelt.update(inside)
        holding += bool(inside)
    if not holding:
        found = f"none of {len(responses)} responses spells one of {len(names)}"
        return Check("special_text", "ok", found, data={"responses": 0})
    listed = ", ".join(f"{name!r} ({n})" for name, n in spelt.most_common(5))
    return Check(
        "special_text",
        "warn",
        f"{holding} of {len(responses)} responses ({holding / len(responses):.1%}) spell a special token: {listed}",
        fix="such text is read as the token itself, a turn end for example: take it out of the responses",
        data={"responses": holding, "spelt": dict(spelt)},
    )


def _special_names(tokenizer: Any) -> list[str]:
    """What special tokens are called, those that a person would hardly write (no plain words)."""
    added = [t.content for t in tokenizer.added_tokens_decoder.values() if t.special]
    return sorted({name for name in (*tokenizer.all_special_tokens, *added) if not name.isalnum()})


def _saved_pad(tokenizer: Any) -> int | None:
    """The pad token that the tokenizer was saved with, before scoring chose one."""
    name = tokenizer.init_kwargs.get("pad_token")
    return None if name is None else int(tokenizer.convert_tokens_to_ids(str(name)))
