"""Human votes of the Arena (LMArena): does a model prefer what people preferred, with people's ties?

Original files: ``lmarena-ai/arena-human-preference-55k`` (and the Kaggle competition's ``train.csv``): ``prompt``, ``response_a`` and
``response_b``, each a JSON list of turns, and ``winner_model_a``, ``winner_model_b``, ``winner_tie``; or the layout of
``arena-human-preference-100k`` and ``-140k``: ``conversation_a``, ``conversation_b`` (messages) and ``winner`` (``model_a``, ``model_b``,
``tie``, ``both_bad`` or ``tie (bothbad)``).

There is no official score of reward models: the scoring is this project's. With v a person's vote for the first response (1, a half for a
tie, 0) and p what the model says (1, a half where it holds both equal, 0):

    agreement = mean of 1 - |p - v|, so that a person's tie earns a half whichever way the model decides
    accuracy  = share of the decided votes with p = v, equal scores a half

A battle of several turns is an item where both sides have the same conversation before the last response; other ones are counted in a
remark, for each side answered a conversation of its own. So are battles with an empty response.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..conversations import as_conversation
from ..errors import SchemaError, counted
from ..protocols import Prompt
from .definition import Benchmark
from .files import Row, find, nothing_found, one_of, read_table
from .items import Item
from .metrics import Metric, mean_of_subsets
from .official import equal_texts
from .registry import benchmark
from .rules import every_pair, rule, share_of_pairs
from .scored import ScoredItem

_VOTES = {"model_a": 1.0, "model_b": 0.0, "tie": 0.5, "both_bad": 0.5, "tie (bothbad)": 0.5}
_FLAGS = ("winner_model_a", "winner_model_b", "winner_tie")
_OWN, _EMPTY = "of several turns, in which each side has a conversation of its own", "with an empty response"
TIE_VALUE = 0.5
_FILES = tuple(
    f"*{beginning}*{rest}"
    for beginning in ("arena-human-preference", "chatbot_arena", "arena_human")
    for rest in ("/**/train*.parquet", "/**/train*.csv", ".parquet", ".csv", ".jsonl")
)
_TEXTS = ("id", "model_a", "model_b", "prompt", "response_a", "response_b", "winner", "language")


@benchmark(
    name="arena",
    about="does it prefer what people preferred in the Arena, with their ties (55k, 100k and 140k layouts)?",
    citation="Chiang et al., Chatbot Arena: An Open Platform for Evaluating LLMs by Human Preference, ICML 2024",
    licence="55k: Apache-2.0; 140k: prompts CC BY 4.0, responses under their providers' terms",
    source="https://huggingface.co/lmarena-ai (arena-human-preference-55k, -100k, -140k)",
    hub=("lmarena-ai/arena-human-preference-140k",),
)
def load_arena(folder: Path) -> Benchmark:
    """Load the battles of one such table.

    Raises:
        UnreadableFile: no such table is below the folder, or it cannot be read.
        SchemaError: a battle lacks a column, or has no winner or several; or no battle can be scored.
    """
    folder = Path(folder)
    files = find(folder, *_FILES)
    if not files:
        raise nothing_found("Arena", folder, "arena-human-preference-*/**/train*.parquet or .csv")
    items, dropped = [], Counter[str]()
    for number, (row, where) in enumerate(read_table(files, "Arena human preference", texts=_TEXTS)):
        found = _battle(row, str(number), where)
        if isinstance(found, str):
            dropped[found] += 1
        else:
            items.append(found)
    if not items:
        raise SchemaError(
            "no battle can be scored",
            where=str(folder),
            fix=f"give battles of one turn; there were {dict(dropped)}",
        )
    told = [f"{counted(n, 'battle')} left out, {why}" for why, n in dropped.items()]
    return Benchmark("arena", tuple(items), _metrics(items), TIE_VALUE, remarks=(*told, *equal_texts(items)))


def _battle(row: Row, number: str, where: str) -> Item | str:
    """A battle as an item, or why it is none."""
    vote = _vote(row, where)
    if "conversation_a" in row:
        sides = [_conversation(row, f"conversation_{s}", where) for s in "ab"]
    else:
        asked = _turns(row, "prompt", where)
        sides = [_interleaved(asked, _turns(row, f"response_{s}", where), where) for s in "ab"]
    (prompt, first), (other, second) = ((side[:-1], side[-1]["content"]) for side in sides)
    if prompt != other:
        return _OWN
    if not first or not second:
        return _EMPTY
    bare: Prompt = prompt[0]["content"] if len(prompt) == 1 and prompt[0]["role"] == "user" else prompt
    language = row.get("language")
    subset = str(language) if isinstance(language, str) and language else "all"
    return Item(number, subset, bare, (first, second), (vote, 1 - vote))


def _vote(row: Row, where: str) -> float:
    """1, a half or 0: how much of the vote the first response has."""
    if "winner" in row:
        return _VOTES[one_of(row, "winner", _VOTES, where)]
    flags = [row.get(name) for name in _FLAGS]
    if not all(flag in (0, 1) for flag in flags) or sum(map(int, flags)) != 1:  # type: ignore[arg-type]
        raise SchemaError(
            f"one of {', '.join(_FLAGS)} should be 1 and the others 0, found {flags}",
            where=where,
            fix="fetch the file again; the test split has no winners",
        )
    return (1.0, 0.0, 0.5)[flags.index(1)]


def _turns(row: Row, key: str, where: str) -> list[str]:
    """The turns of one speaker: a JSON list of texts as text, or a list of texts; null is an empty turn."""
    value = row.get(key)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = [value]
    if not isinstance(value, list) or not value or not all(t is None or isinstance(t, str) for t in value):
        raise SchemaError(
            f"{key!r} should be a list of texts, found {row.get(key)!r:.60}",
            where=where,
            fix="fetch the file again",
        )
    return [turn or "" for turn in value]


def _interleaved(asked: Sequence[str], answered: Sequence[str], where: str) -> list[dict[str, str]]:
    if len(asked) != len(answered):
        raise SchemaError(
            f"{len(asked)} prompts and {len(answered)} responses", where=where, fix="fetch the file again"
        )
    both = zip(asked, answered, strict=True)
    return [m for p, r in both for m in ({"role": "user", "content": p}, {"role": "assistant", "content": r})]


def _conversation(row: Row, key: str, where: str) -> list[dict[str, str]]:
    value: Any = row.get(key)
    messages = as_conversation(value) if isinstance(value, list) else None
    if not messages or len(messages) < 2 or messages[-1]["role"] != "assistant":
        raise SchemaError(
            f"{key!r} should be messages that end with a response, found {value!r:.60}",
            where=where,
            fix="fetch the file again",
        )
    return messages


@rule(every_pair, batch=lambda stack: 1 - abs(stack.outcomes[:, 0, 1] - stack.grades[:, 0]))
def agreement(scored: ScoredItem) -> float:
    """1 - |p - v|."""
    return 1 - abs(float(scored.outcome([(0, 1)])[0]) - float(scored.grades[0]))


def _metrics(items: Sequence[Item]) -> tuple[Metric, ...]:
    subsets = list(dict.fromkeys(item.subset for item in items))
    decided = list(dict.fromkeys(item.subset for item in items if item.others))
    accuracy = [mean_of_subsets("all", "accuracy", [decided], share_of_pairs)] if decided else []
    return (*accuracy, mean_of_subsets("all", "agreement", [subsets], agreement))
