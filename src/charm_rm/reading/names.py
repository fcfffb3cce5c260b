"""The names under which other tools' tables hold what charm's tables hold.

A field (``policy``, ``score``) has spellings in tiers: a name of an earlier tier wins over one of a later tier, two of the
same tier are ambiguous. Names are compared folded: ``Prompt ID``, ``promptId`` and ``prompt-id`` are ``prompt_id``.
"""

from __future__ import annotations

import re

SPELLINGS: dict[str, tuple[tuple[str, ...], ...]] = {
    "policy": (
        ("policy_name", "policy_id", "policy_model"),
        ("model", "model_name", "model_id", "generator", "generator_model", "response_model", "llm", "candidate"),
        ("models", "policies"),
        ("file",),  # what a file in a folder is called, where nothing in it says more
    ),
    "prompt_id": (
        ("prompt_index", "prompt_idx", "prompt_no", "prompt_key", "prompt_hash", "promptid"),
        ("question_id", "instruction_id", "query_id", "qid", "task_id", "example_id", "item_id", "input_id"),
        ("problem_id", "instance_id"),
        ("id", "uid", "uuid", "idx", "index", "key"),
    ),
    "score": (
        ("scores", "reward", "rewards", "rm_score", "rm_scores", "reward_score", "rm_reward", "reward_model_score"),
        ("raw_score", "scalar_reward", "predicted_reward", "value", "logit", "logits", "prediction"),
    ),
    "prompt": (
        ("prompt_text", "prompts", "user_prompt"),
        ("instruction", "question", "query", "input", "problem", "messages"),
    ),
    "response": (
        ("response_text", "responses", "model_response", "model_output"),
        ("output", "completion", "answer", "generation", "generated_text", "reply"),
    ),
    "n_tokens": (("num_tokens", "token_count", "tokens"),),
    "reference": (("reference_model", "baseline", "baseline_model", "opponent"),),
    "win_rate": (("winrate",),),
    "reward_model": (
        ("reward_model_name", "reward_model_id", "rm", "rm_name", "rm_id", "rm_model", "scorer", "scored_by"),
    ),
    "sample": (
        ("sample_id", "sample_idx", "sample_index", "sample_no", "n_sample"),
        ("response_id", "response_idx", "response_index", "completion_id", "completion_idx", "completion_index"),
        ("generation_id", "generation_idx", "candidate_id", "candidate_idx", "rollout", "rollout_id"),
        ("attempt", "repeat", "draw", "trial", "seed"),
    ),
}  # fmt: skip
# Ids of rows as often as of prompts.
WEAK_IDS = SPELLINGS["prompt_id"][-1]
# Fields whose values are names and ids: text, whatever they look like.
_TEXTS = ("policy", "prompt_id", "prompt", "response", "reference", "reward_model")
# Of numbers in other people's tables, those that are never scores of a policy: counts, settings, positions.
OTHER_NUMBERS = frozenset(
    [
        *("row", "rank", "n", "turn", "turns", "length", "len", "num_chars", "chars", "words", "num_words"),
        *("response_length", "prompt_length", "output_length", "prompt_tokens", "completion_tokens", "total_tokens"),
        *("temperature", "top_p", "top_k", "max_tokens", "epoch", "step", "latency", "time", "duration", "cost"),
        *("timestamp", "created", "year", "batch", "level_0", "fold", "difficulty", "mean", "std", "average", "avg"),
    ]
)  # fmt: skip
# Rows of a wide table that sum up the others; and what stands beside those (pandas' ``describe()``).
SUMMARIES = frozenset(["mean", "average", "avg", "count", "std", "25%", "50%", "75%"])
SUMMARIES_BESIDE = frozenset(["min", "max", "sum", "total", "median"])
# Figures of a table of ratings, win rates or judgements: such a table is none of scores.
FIGURES = frozenset(
    [
        *("rating", "elo", "arena_score", "ci_low", "ci_high", "rating_lower", "rating_upper", "std_err", "votes"),
        *("win_rate", "winrate", "margin", "preference", "probability", "p_first", "p_second", "wins", "ties"),
    ]
)  # fmt: skip
# The unnamed column in which pandas writes a frame's index.
_UNNAMED = re.compile(r"unnamed_\d+")


def folded(name: str) -> str:
    """A name in small letters, words joined by ``_``."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip().lstrip("\ufeff"))
    return re.sub(r"[^\w]+|_+", "_", words).strip("_").casefold()


def is_index(name: str) -> bool:
    """Whether it is the column of pandas' index."""
    if not folded(name):
        return not name.strip().lstrip("\ufeff")  # a policy may be called "-", or be an emoji
    return _UNNAMED.fullmatch(folded(name)) is not None or folded(name) == "index_level_0"


def spellings(field: str) -> list[tuple[str, ...]]:
    """The tiers of a field's names, its own first."""
    return [(field,), *SPELLINGS.get(field, ())]


def is_name_or_id(column: str) -> bool:
    """Whether a column's name is a spelling of a field whose values are text, or has none, as an index of ids."""
    return folded(column) in _TEXT_NAMES or is_index(column)


_TEXT_NAMES = {name for field in _TEXTS for tier in spellings(field) for name in tier}


def is_spelling(column: str, field: str) -> bool:
    """Whether it is one of the spellings of ``field``."""
    return any(folded(column) in tier for tier in spellings(field))


def is_talk(column: str) -> bool:
    """Whether it is a spelling of prompts or responses, which may be messages."""
    return is_spelling(column, "prompt") or is_spelling(column, "response")


def is_known(column: str) -> bool:
    """Whether it is a spelling of any field."""
    return folded(column) in _ALL


_ALL = {name for field in SPELLINGS for tier in spellings(field) for name in tier}
