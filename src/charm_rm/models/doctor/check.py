"""What an examination gives: checks with a status, and how to fix what is not as it should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["ok", "warn", "fail", "skipped"]

# In the order of the report.
_TITLES = {
    "loads": "opens as a reward model",
    "head": "head weights",
    "outputs": "what is taken as the reward",
    "registry": "known model",
    "template": "chat template",
    "bos": "beginning-of-sequence token",
    "date": "date in the template",
    "system_prompt": "default system prompt",
    "content": "text that the template keeps",
    "pad": "pad, EOS and turn end",
    "pooling": "position that the head reads",
    "padding": "padding left and right",
    "unknown": "unknown tokens",
    "special_text": "special tokens in responses",
    "length": "length limit",
    "truncation": "truncated responses",
    "identical": "responses that become identical",
    "batching": "batch sizes and budgets",
    "attention": "attention",
    "bfloat16": "bfloat16",
    "float16": "float16",
    "determinism": "the same score twice",
    "spread": "spread against temperature",
    "calibrator": "calibrator",
    "against": "the same scores elsewhere",
}


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    ``found`` is a sentence, ``details`` further lines, ``data`` the same as plain values; ``fix`` says what to
    do where the status is warn or fail.
    """

    id: str
    status: Status
    found: str
    fix: str | None = None
    details: Sequence[str] = ()
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What was looked at, in words."""
        return _TITLES[self.id]

    def to_json(self) -> dict[str, Any]:
        """The check as plain values."""
        return {
            "id": self.id,
            "title": self.title,
            "status": self.status,
            "found": self.found,
            "fix": self.fix,
            "details": list(self.details),
            "data": dict(self.data),
        }


def in_order(checks: Sequence[Check]) -> tuple[Check, ...]:
    """The checks in the report's order; of two with one id, the later counts."""
    by_id = {check.id: check for check in checks}
    return tuple(by_id[name] for name in _TITLES if name in by_id)


def shorten(text: str, limit: int = 60) -> str:
    """The text quoted, its middle left out where it is long."""
    if len(text) > limit:
        text = f"{text[: limit // 2]} ... {text[-limit // 3 :]}"
    return repr(text)


def show_tokens(tokenizer: Any, ids: Sequence[int]) -> str:
    """Ids with their tokens: ``1 '<s>'  320 'Hi'``."""
    tokens = tokenizer.convert_ids_to_tokens(list(ids))
    return "  ".join(f"{i} {t!r}" for i, t in zip(ids, tokens, strict=True))


def common_start(a: Sequence[Any], b: Sequence[Any]) -> int:
    """Length of the common beginning."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
