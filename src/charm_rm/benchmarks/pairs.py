"""Preference pairs of one's own as a benchmark: how often is the chosen response preferred?

Accuracy per value of the ``subset`` column, where there is one, and over all; ``id`` names an item. A tie counts a half. The prompt is
the whole conversation before the response: several turns, and system messages, are part of it. Pairs that compare nothing are left
out, and told.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..conversations import Messages
from ..errors import SchemaError, counted
from ..preferences import load_preferences
from ..protocols import Prompt
from ..tables import Preferences
from .definition import Benchmark
from .items import Item, good_and_bad
from .metrics import Metric, mean_of_subsets
from .official import refuse_repeated_ids, repeated_items

_TIE_VALUE = 0.5
_ALL = "all"


def load_pairs(path: str | Path, *, name: str = "pairs") -> Benchmark:
    """Read preference pairs (:func:`~charm_rm.preferences.load_preferences`) as a benchmark.

    Raises:
        UnreadableFile: the file is missing, cut short, or of an unknown kind.
        SchemaError: a row is not a pair, an id stands twice, or a subset has the name of the whole.
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
    names = frame["id"].to_list() if "id" in frame.columns else [None] * frame.height
    subsets = frame["subset"].to_list() if "subset" in frame.columns else [None] * frame.height
    rows = zip(frame.select("prompt", "chosen", "rejected").iter_rows(), names, subsets, strict=True)
    items = tuple(
        _item(i, str(i if one is None else one), _ALL if subset is None else str(subset), *row)
        for i, (row, one, subset) in enumerate(rows)
    )
    refuse_repeated_ids(name, items, fix=OWN_ID)
    found = subset_names(item.subset for item in items)
    remarks = (*_left_out(preferences), *repeated_items(items))
    return Benchmark(name, items, _metrics(found), _TIE_VALUE, remarks=remarks)


OWN_ID = "give every item an id of its own, or rename the column"


def subset_names(subsets: Iterable[str]) -> list[str]:
    """The names of a table's subsets, each once.

    Raises:
        SchemaError: one of several is called as the figure over all is, or is missing.
    """
    names = list(dict.fromkeys(subsets))
    if len(names) > 1 and _ALL in names:
        raise SchemaError(
            f"'subset' is missing in some rows, or is {_ALL!r}, which is the figure over all",
            fix="give every row a subset, under another name than that",
        )
    return names


def _left_out(preferences: Preferences) -> list[str]:
    """A remark on the pairs that compare nothing."""
    dropped = preferences.provenance.get("dropped", {})
    return [f"{counted(n, 'pair')} left out: {why}" for why, n in dropped.items() if n]


def _item(row: int, name: str, subset: str, prompt: Messages, chosen: Messages, rejected: Messages) -> Item:
    good, bad = (_text(messages, row) for messages in (chosen, rejected))
    return good_and_bad(name, subset, _prompt(prompt), [good], [bad])


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
