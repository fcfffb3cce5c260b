"""Preference pairs of one's own as a benchmark: how often is the chosen response preferred?

Accuracy per value of the ``subset`` column, where there is one, and over all. A tie counts a half. The prompt is the whole
conversation before the response: several turns, and system messages, are part of it.
"""

from __future__ import annotations

from pathlib import Path

from ..conversations import Messages
from ..errors import SchemaError
from ..preferences import load_preferences
from ..protocols import Prompt
from ..tables import Preferences
from .definition import Benchmark
from .items import Item, good_and_bad
from .metrics import Metric, mean_of_subsets

_TIE_VALUE = 0.5
_ALL = "all"


def load_pairs(path: str | Path, *, name: str = "pairs") -> Benchmark:
    """Read preference pairs (:func:`~charm_rm.preferences.load_preferences`) as a benchmark.

    Raises:
        UnreadableFile: the file is missing, cut short, or of an unknown kind.
        SchemaError: a row is not a pair.
    """
    try:
        return pairs_benchmark(load_preferences(path), name=name)
    except SchemaError as error:
        if str(path) not in str(error.where):
            error.where = f"{path}: {error.where}" if error.where else str(path)
        raise


def pairs_benchmark(preferences: Preferences, *, name: str = "pairs") -> Benchmark:
    """Preference pairs as a benchmark: one good and one bad response an item."""
    frame = preferences.frame
    subsets = frame["subset"].to_list() if "subset" in frame.columns else [_ALL] * frame.height
    rows = zip(frame.select("prompt", "chosen", "rejected").iter_rows(), subsets, strict=True)
    items = tuple(_item(i, str(subset), *row) for i, (row, subset) in enumerate(rows))
    names = list(dict.fromkeys(item.subset for item in items))
    return Benchmark(name, items, _metrics(names), _TIE_VALUE)


def _item(row: int, subset: str, prompt: Messages, chosen: Messages, rejected: Messages) -> Item:
    sides = (_text(messages, row) for messages in (chosen, rejected))
    good, bad = sides
    return good_and_bad(str(row), subset, _prompt(prompt), [good], [bad])


def _prompt(messages: Messages) -> Prompt:
    """One user turn as bare text; all else as messages."""
    if len(messages) == 1 and messages[0]["role"] == "user":
        return messages[0]["content"]
    return [{"role": m["role"], "content": m["content"]} for m in messages]


def _text(messages: Messages, row: int) -> str:
    """The response, which is the last turn."""
    if len(messages) != 1:
        raise SchemaError(
            f"a response of {len(messages)} messages",
            where=f"pair {row}",
            fix="put all turns but the last into the prompt",
        )
    return messages[0]["content"]


def _metrics(subsets: list[str]) -> tuple[Metric, ...]:
    apart = [mean_of_subsets(s, "accuracy", [[s]]) for s in subsets if s != _ALL]
    return (*apart, mean_of_subsets(_ALL, "accuracy", [subsets]))
