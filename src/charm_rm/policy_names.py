"""Names of models: how they are folded, and whether two names that look alike mean one model or two.

A near miss is worth showing, never worth taking: ``gemma-2-9b-it-SimPO`` is not ``gemma-2-9b-it``, whatever their names share. So a
near name is the same model only where both have the same parts, in whatever order and punctuation, the maker's or host's name
aside; every other near name comes with the parts that differ, and what kind of parts they are.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

# Runs of anything but letters, digits and decimal points (a point with a digit on both sides).
_SEPARATORS = re.compile(r"(?:(?!(?<=\d)\.(?=\d))[\W_])+")

Nearness = Literal["same parts", "spelling", "another"]

# Who made or serves a model, and what says only how its files are laid out: no part of which model it is.
_MAKERS = frozenset(
    [
        "openai",
        "anthropic",
        "google",
        "meta",
        "mistralai",
        "microsoft",
        "cohere",
        "amazon",
        "alibaba",
        "deepmind",
        "nvidia",
        "ibm",
        "ai21",
        "databricks",
        "lmsys",
        "allenai",
        "tiiuae",
        "ai",
        "org",
        "models",
        "huggingface",
        "hf",
        "together",
        "togethercomputer",
        "ollama",
        "openrouter",
        "azure",
        "azureml",
        "bedrock",
        "vertex",
        "vertexai",
        "groq",
        "fireworks",
        "accounts",
        "replicate",
        "anyscale",
        "deepinfra",
        "vllm",
        "litellm",
        "chatcompletion",
        "messages",
        "responses",
        "local",
        "hosted",
    ]
)
_TUNING = frozenset(
    [
        "it",
        "instruct",
        "instruction",
        "chat",
        "base",
        "pretrained",
        "pt",
        "sft",
        "dpo",
        "simpo",
        "ppo",
        "orpo",
        "kto",
        "ipo",
        "rloo",
        "grpo",
        "rrhf",
        "rlhf",
        "wpo",
        "sppo",
        "spin",
        "slic",
        "hb",
        "lora",
        "qlora",
        "merged",
        "merge",
        "uncensored",
        "abliterated",
        "distill",
        "distilled",
        "tuned",
        "finetuned",
        "ft",
        "rl",
        "expo",
        "iter",
        "align",
        "aligned",
    ]
)
_VARIANTS = frozenset(
    [
        "mini",
        "nano",
        "micro",
        "tiny",
        "small",
        "medium",
        "large",
        "big",
        "xl",
        "turbo",
        "pro",
        "flash",
        "lite",
        "plus",
        "max",
        "ultra",
        "high",
        "low",
        "xhigh",
        "thinking",
        "think",
        "reasoning",
        "non",
        "preview",
        "latest",
        "exp",
        "experimental",
        "beta",
        "alpha",
        "haiku",
        "sonnet",
        "opus",
        "instant",
        "coder",
        "code",
        "vision",
        "vl",
        "omni",
        "audio",
        "math",
        "fast",
        "live",
        "long",
        "4k",
        "8k",
        "16k",
        "32k",
        "64k",
        "100k",
        "128k",
        "200k",
        "1m",
    ]
)
_QUANTISED = re.compile(
    r"^(?:fp8|fp4|nvfp4|mxfp4|bf16|fp16|int8|int4|nf4|awq|gptq|gguf|ggml|exl2|bnb|bitsandbytes|mlx|[248]bit|w\d+a\d+|i?q\d\w*|quantized|quant)$"
)
_SIZE = re.compile(r"^(?:\d+x)?\d+(?:\.\d+)?[bm]$|^[ae]\d+(?:\.\d+)?b$|^\d+e$")
_METHOD = re.compile(r"^[a-z]{1,4}[pt]o$")  # DPO, SimPO, KTO ... and those to come
_DATE = re.compile(r"^(?:20\d{6}|20\d{4}|\d{4})$")
_VERSION = re.compile(r"^\d+(?:\.\d+)*[a-z]?$")
_MOST = 3


class Near(NamedTuple):
    """A name like the one looked for: whether it can be the same model, and how the two differ, in words."""

    name: str
    nearness: Nearness
    reason: str


def fold_name(name: str) -> str:
    """Lower case, every run of punctuation or space one dash; decimal points stay and + becomes plus.

    ``GPT-4o (2024-05-13)`` is ``gpt-4o-2024-05-13``, ``Llama 3.1_8B`` is ``llama-3.1-8b``, and ``Command R+`` is
    ``command-r-plus``: another model than ``Command R``.
    """
    return _SEPARATORS.sub("-", name.casefold().replace("+", "-plus-")).strip("-")


def near_names(name: str, known: Iterable[str], *, most: int = _MOST) -> list[Near]:
    """The nearest of the known names, those that can be the same model first; none where nothing is near.

    Args:
        name: the name looked for.
        known: names to choose from.
        most: so many at most.
    """
    mine, shape, glued = _parts(name), _shape(name), _glued(name)
    found: list[tuple[int, int, str, Near]] = []
    for other in dict.fromkeys(known):
        theirs = mine if glued == _glued(other) else _parts(other)
        if mine != theirs and shape == _shape(other):
            found.append(
                (_ORDER["spelling"], 0, other, Near(other, "spelling", "spelling: 0 and o, or 1 and l"))
            )
            continue
        n_differ = len(mine ^ theirs)
        if n_differ > 2 and not _is_akin(mine, theirs):
            continue
        near = _compared(other, mine, theirs)
        if near.nearness != "another" or _is_akin(mine, theirs):
            found.append((_ORDER[near.nearness], n_differ, other, near))
    return [near for *_, near in sorted(found)[:most]]


def _is_akin(mine: frozenset[str], theirs: frozenset[str]) -> bool:
    """Whether half the parts are shared, and a word that names the family among them."""
    shared = mine & theirs
    return 2 * len(shared) >= max(len(mine), len(theirs)) and any(_kind(part) == "word" for part in shared)


_ORDER: dict[Nearness, int] = {"same parts": 0, "spelling": 1, "another": 2}


def near_policies(name: str, known: Iterable[str]) -> str:
    """For the end of an error: `` Did you mean 'x'?`` where that can be the same model, `` Near: 'y', a different model? (...)`` else."""
    near = near_names(name, known)
    same = [n for n in near if n.nearness != "another"]
    if same:
        return f" Did you mean {' or '.join(repr(n.name) for n in same)}?"
    return "".join(f" Near: {n.name!r}, a different model? ({n.reason})" for n in near[:1])


# --- parts of a name ----------------------------------------------------------------------------


@functools.lru_cache(maxsize=8192)
def _glued(name: str) -> str:
    """The folded name with no dash between words: ``ultra-rm`` is ``ultrarm``, and ``llama-2-7b`` never ``llama-27b``."""
    return re.sub(r"(?<=[a-z])-(?=[a-z])", "", fold_name(name))


@functools.lru_cache(maxsize=8192)
def _shape(name: str) -> str:
    """The folded name with letters and digits that look alike as one."""
    return fold_name(name).translate(str.maketrans("01", "ol"))


@functools.lru_cache(maxsize=8192)
def _parts(name: str) -> frozenset[str]:
    """The parts that say which model it is: words, sizes, versions and dates; not its maker, not its punctuation."""
    tokens = [t for word in fold_name(name).split("-") for t in _split(word) if t]
    joined = _joined(tokens)
    kept = [t for t in joined if t not in _MAKERS]
    return frozenset(kept or joined)


def _split(word: str) -> list[str]:
    """``gpt4o`` as gpt and 4o, ``v1.5`` as 1.5; a quantisation (``q4``, ``fp8``) or active size (``a22b``) stays whole."""
    if _QUANTISED.match(word) or _SIZE.match(word):
        return [word]
    word = re.sub(r"^v(?=\d)", "", word)
    return re.split(r"(?<=[a-z])(?=\d)", word) if re.match(r"^[a-z]+\d", word) else [word]


def _joined(tokens: list[str]) -> list[str]:
    """A date of three numbers as one, and a version of two (``3-5``) with its point."""
    text = "-".join(tokens)
    text = re.sub(r"(?<![\w.])(20\d\d)-(\d\d)-(\d\d)(?![\w.])", r"\1\2\3", text)
    text = re.sub(r"(?<![\w.])(\d)-(\d)(?![\w.])", r"\1.\2", text)
    return [re.sub(r"^(\d+)\.0$", r"\1", t) for t in text.split("-")]


def _compared(other: str, mine: frozenset[str], theirs: frozenset[str]) -> Near:
    only_mine, only_theirs = sorted(mine - theirs), sorted(theirs - mine)
    if not only_mine and not only_theirs:
        return Near(other, "same parts", "case, punctuation, order or maker alone")
    if len(only_mine) == len(only_theirs) == 1 and _is_slip(only_mine[0], only_theirs[0]):
        return Near(other, "spelling", f"spelling: {only_mine[0]}, {only_theirs[0]}")
    return Near(other, "another", _difference(only_mine, only_theirs))


def _is_slip(one: str, other: str) -> bool:
    """One letter more, less or other in a plain word: no number, and no two words that tell models apart."""
    words = one.isalpha() and other.isalpha() and min(len(one), len(other)) >= 3
    if not words or _METHOD.match(one) or _METHOD.match(other):
        return False
    if {one, other} <= _TUNING | _VARIANTS:
        return False
    return _distance_is_one(*sorted((one, other), key=len))


def _distance_is_one(short: str, long: str) -> bool:
    at = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(short) == len(long):
        swapped = short[:at] + short[at + 1 : at + 2] + short[at : at + 1] + short[at + 2 :]
        return short[at + 1 :] == long[at + 1 :] or swapped == long
    return len(long) - len(short) == 1 and short[at:] == long[at + 1 :]


def _difference(only_mine: list[str], only_theirs: list[str]) -> str:
    """What differs, kind by kind: ``size 7b, not 70b; tuning simpo only in yours``."""
    told = []
    kinds = dict.fromkeys(_kind(t) for t in (*only_mine, *only_theirs))
    for kind in kinds:
        here, there = (" ".join(t for t in side if _kind(t) == kind) for side in (only_mine, only_theirs))
        if here and there:
            told.append(f"{kind} {here}, not {there}")
        else:
            told.append(f"{kind} {here or there} only in {'yours' if here else 'theirs'}")
    return "; ".join(told)


@functools.lru_cache(maxsize=8192)
def _kind(part: str) -> str:
    if _QUANTISED.match(part):
        return "quantisation"
    if _SIZE.match(part):
        return "size"
    if _DATE.match(part):
        return "date"
    if _VERSION.match(part):
        return "version"
    if part in _TUNING or _METHOD.match(part):
        return "tuning"
    return "variant" if part in _VARIANTS else "word"
