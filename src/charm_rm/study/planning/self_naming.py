"""Answers that say whose they are: a rater who reads "I am Vicuna, trained by LMSYS" no longer votes blind."""

from __future__ import annotations

import re
from collections.abc import Iterable

import polars as pl

from ...mismatch.makers import known_makers
from ...policy_names import fold_name
from ...tables import Responses

# Names that assistants go by, and who made them; those of a study's own policies and the makers of data/makers.csv are added.
_ASSISTANTS = (
    "chatgpt", "gpt", "claude", "bard", "gemini", "gemma", "llama", "vicuna", "alpaca", "mistral", "mixtral", "qwen", "tongyi", "chatglm",
    "yi", "zephyr", "openhermes", "wizardlm", "guanaco", "falcon", "grok", "deepseek", "dbrx", "starling", "koala", "copilot", "ernie",
    "kimi", "baichuan", "internlm", "openassistant", "open assistant", "command r", "dolphin", "phi", "palm", "tulu", "olmo",
)  # fmt: skip
_MAKERS = (
    "openai", "anthropic", "google", "meta ai", "meta", "lmsys", "large model systems", "mistral", "alibaba", "zhipu", "tsinghua", "cohere",
    "databricks", "microsoft", "hugging face", "laion", "01.ai", "deepseek", "nous research", "stability ai", "xai", "amazon", "nvidia",
)  # fmt: skip
# Words of policies' names that are no name of an assistant: sizes, tuning, and what is said of any model.
_COMMON = frozenset(
    [
        "chat",
        "instruct",
        "base",
        "model",
        "large",
        "small",
        "medium",
        "mini",
        "turbo",
        "pro",
        "preview",
        "latest",
        "beta",
        "alpha",
        "instant",
        "opus",
        "sonnet",
        "haiku",
        "flash",
        "plus",
        "max",
        "ultra",
        "sft",
        "dpo",
        "ppo",
        "simpo",
        "orpo",
        "kto",
        "policy",
        "reference",
        "baseline",
        "test",
        "human",
        "open",
        "assistant",
        "command",
        "code",
        "coder",
        "math",
        "vision",
        "hf",
        "the",
        "and",
        "for",
        "lm",
        "llm",
        "ai",
        "good",
        "bad",
        "better",
        "best",
        "old",
        "new",
        "young",
        "quick",
        "slow",
        "strong",
        "weak",
        "honest",
        "verbose",
        "short",
        "long",
        "plain",
    ]
)
_I_AM = r"(?:\bi am|\bi['’]m|\bmy name is|\bmy name['’]s|\byou can call me|\bjust call me|\bthis is)"
_OF_ME = (
    r"(?:(?:\bi am|\bi['’]m|\bi was|\bi have been|\bi['’]ve been)\b[^.!?\n]{0,80}"
    r"|\bas an? [^.!?,\n]{0,40}\b(?:ai|model|assistant|chatbot|bot)\b[^.!?\n]{0,40})"
)
_KIND = r"(?:an?|the|just|only|actually|called|named|known as|ai|artificial intelligence|large|language|model|chat|chatbot|assistant|bot|open[- ]source|virtual|helpful|,|:|\(|\*+|\x22|')"
_MADE = r"(?:developed|created|trained|made|built|designed|released|provided|produced|fine-?tuned)"


def self_naming(responses: Responses) -> pl.DataFrame:
    """The answers (prompt_id, policy) in which an assistant says its name or its maker's in the first person.

    Looked for are "I am NAME", "my name is NAME" with words like "an AI assistant called" between, "as NAME, I", and "I was
    trained by MAKER", "as an AI developed by MAKER". Answers that only speak of such names are left alone. A rule in English: other
    languages, and claims in other words, pass. An answer that names another assistant than it is counts, too: it tells
    as much to who believes it.
    """
    names = sorted({*_ASSISTANTS, *(word for policy in responses.policies for word in _own_words(policy))})
    makers = sorted({*_MAKERS, *(maker.casefold() for maker in known_makers())})
    named = pl.col("response").str.contains_any([*names, *makers], ascii_case_insensitive=True)
    some = responses.frame.filter(named)  # looking for the names first is quicker
    return some.filter(pl.col("response").str.contains(_pattern(names, makers))).select("prompt_id", "policy")


def _pattern(known: Iterable[str], made_by: Iterable[str]) -> str:
    """The rule as a regular expression of Rust's, which cannot be slow on any text."""
    names, makers = _either(known), _either(made_by)
    named = rf"{_I_AM}(?:\s*{_KIND}){{0,9}}\s*{names}\b"
    spoken = rf"\bas {names}\b[^.\n]{{0,20}}, i\b"
    made = rf"{_OF_ME}\b{_MADE}(?: and \w+)? (?:by|at)(?: \w+){{0,4}}? (?:the |a |team at )*{makers}\b"
    return rf"(?i)(?:{named}|{spoken}|{made})"


def _own_words(policy: str) -> list[str]:
    """Words of a policy's name that can be what it calls itself: letters alone, four or more, and no common word."""
    words = re.split(r"[-_/ .]", fold_name(policy.rpartition("/")[2]))
    return [
        word for word in words if len(word) > 3 and word.isascii() and word.isalpha() and word not in _COMMON
    ]


def _either(words: Iterable[str]) -> str:
    """Any of the words; longer ones first, so that the whole of a name is taken; a number may follow."""
    ordered = sorted(set(words), key=lambda word: (-len(word), word))
    return "(?:" + "|".join(re.sub(r"([.+])", r"[\1]", word) for word in ordered) + r")(?:[- ]?[0-9][\w.]*)?"
