"""A table of one's own as a benchmark: pairs, several good against several bad responses, ratings, or the best of n.

Which of them a table is, its columns say; ``prompt`` (text or messages: several turns, a system message) is always there.

    chosen, rejected                   a pair: texts, messages, or whole conversations (:mod:`.pairs`)
    chosen, rejected as lists of texts any number of good responses against any number of bad ones
    responses, ratings                 lists of one length: how good people hold each response
    responses, best                    the position of the best response, from 0, or a list of such positions
    response, rating                   a row a response; rows of one prompt (``prompt_id``, where there is one) are an item

``subset`` splits the figures, ``id`` names an item. A response that a model holds equal to another counts a half, and shares the
first place where the best is asked for. Equal ratings say nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import SchemaError, counted, did_you_mean, listing
from ..preferences import prompt_key
from ..protocols import Prompt
from ..store import column_names, naming
from .definition import Benchmark
from .files import Row, mended_by, number_of, numbers_of, prompt_of, read_rows, text_of, texts_of
from .items import Item, good_and_bad
from .metrics import Metric, mean_of_subsets
from .official import refuse_repeated_ids, repeated_items
from .pairs import OWN_ID, load_pairs, subset_names
from .rules import Rule, all_good_above_all_bad, best_is_good_or_shares, kendall_with_grades, share_of_pairs

_ALL = "all"
_TIE_VALUE = 0.5
_SHAPES = "chosen and rejected; responses and ratings; responses and best; or response and rating"
_RATINGS = ("ratings", "rating", "grades", "grade")
_WITH_LISTS = (".json", ".jsonl", ".parquet")


def load_own(path: str | Path, *, name: str | None = None) -> Benchmark:
    """Read a table of one's own as a benchmark; it is called ``name``, or ``pairs`` where it holds pairs, else ``own``.

    Raises:
        UnreadableFile: the file is missing, cut short, or of an unknown kind.
        SchemaError: the columns are of no known shape; or an item has one response alone, the same text on both sides, a
            rating that is no number, or an id that stands twice.
    """
    path = Path(path)
    columns = column_names(path)
    if "response" not in columns and "responses" not in columns and not _has_several(path, columns):
        if near := did_you_mean("responses", columns):
            raise SchemaError(
                f"no column 'responses'.{near}", where=str(path), fix=f"give prompt with {_SHAPES}"
            )
        return load_pairs(path, name=name or "pairs")
    rows = list(read_rows(path, texts=("id", "prompt_id", "subset", "prompt", "response")))
    with naming(path), mended_by("correct the table"):
        items, remarks = _told(_items(rows, columns))
        refuse_repeated_ids(name or "own", items, fix=OWN_ID)
        remarks = (*remarks, *repeated_items(items))
        return Benchmark(name or "own", tuple(items), _metrics(items), _TIE_VALUE, remarks=remarks)


def _has_several(path: Path, columns: Iterable[str]) -> bool:
    """Whether a side is a list of texts, which is neither a text nor a conversation; one text is as good as no list."""
    if not {"chosen", "rejected"} <= set(columns) or path.suffix not in _WITH_LISTS:
        return False
    sides = (row.get(key) for row, _ in read_rows(path) for key in ("chosen", "rejected"))
    lists = (side for side in sides if isinstance(side, list) and all(isinstance(text, str) for text in side))
    return any(len(texts) != 1 for texts in lists)


def _items(rows: Sequence[tuple[Row, str]], columns: Iterable[str]) -> list[Item]:
    """The items of a table, by its columns."""
    columns = set(columns)
    if {"chosen", "rejected"} <= columns:
        return [_sides(row, i, where) for i, (row, where) in enumerate(rows)]
    rating = next((name for name in _RATINGS if name in columns), None)
    if "responses" in columns and "best" in columns:
        return [_best(row, i, where) for i, (row, where) in enumerate(rows)]
    if "responses" in columns and rating:
        return [_rated(row, i, where, rating) for i, (row, where) in enumerate(rows)]
    if "response" in columns and rating:
        return _by_prompt(rows, rating)
    near = did_you_mean("ratings", columns) or did_you_mean("best", columns)
    raise SchemaError(
        f"responses without 'ratings' or 'best' beside them; found {listing(sorted(columns), limit=12)}.{near}",
        fix=f"give prompt with {_SHAPES}",
    )


def _about(row: Row, position: int, where: str) -> tuple[str, str, Prompt]:
    """Id, subset and prompt of an item."""
    name, subset = row.get("id"), row.get("subset")
    return (
        str(position if name is None else name),
        _ALL if subset is None else str(subset),
        prompt_of(row, "prompt", where),
    )


def _sides(row: Row, position: int, where: str) -> Item:
    single = {k: [v] for k, v in row.items() if k in ("chosen", "rejected") and isinstance(v, str)}
    sides = [texts_of({**row, **single}, key, where) for key in ("chosen", "rejected")]
    if same := set(sides[0]) & set(sides[1]):
        raise SchemaError(
            f"the same text is chosen and rejected: {next(iter(same))!r:.60}",
            where=where,
            fix="leave the text out of one side, or the item out",
        )
    return good_and_bad(*_about(row, position, where), *sides)


def _rated(row: Row, position: int, where: str, rating: str) -> Item:
    texts = _several(texts_of(row, "responses", where), where)
    grades = numbers_of(row, rating, where, length=len(texts))
    name, subset, prompt = _about(row, position, where)
    return Item(name, subset, prompt, texts, grades)


def _best(row: Row, position: int, where: str) -> Item:
    texts = _several(texts_of(row, "responses", where), where)
    best = row["best"] if isinstance(row["best"], list) else [row["best"]]
    right = [type(b) is int and 0 <= b < len(texts) for b in best]
    if not best or not all(right):
        raise SchemaError(
            f"'best' should be a position from 0 to {len(texts) - 1}, found {row['best']!r:.60}",
            where=where,
            fix="count the responses from 0",
        )
    name, subset, prompt = _about(row, position, where)
    return Item(name, subset, prompt, texts, tuple(float(i in best) for i in range(len(texts))))


def _several(texts: tuple[str, ...], where: str) -> tuple[str, ...]:
    if len(texts) < 2:
        raise SchemaError(
            "an item with one response has nothing to compare", where=where, fix="give at least two"
        )
    if len(set(texts)) < len(texts):
        raise SchemaError(
            "two responses have the same text", where=where, fix="give every response of an item once"
        )
    return texts


def _by_prompt(rows: Sequence[tuple[Row, str]], rating: str) -> list[Item]:
    """Rows of one prompt as an item."""
    found: dict[tuple[str, str], list[tuple[Row, str]]] = {}
    for row, where in rows:
        key = row.get("prompt_id")
        subset = _ALL if row.get("subset") is None else str(row["subset"])
        name = prompt_key(prompt_of(row, "prompt", where)) if key is None else str(key)
        found.setdefault((subset, name), []).append((row, where))
    by_id = all("prompt_id" in row for row, _ in rows)
    return [
        _of_rows(name if by_id else str(i), subset, group, rating)
        for i, ((subset, name), group) in enumerate(found.items())
    ]


def _of_rows(name: str, subset: str, group: Sequence[tuple[Row, str]], rating: str) -> Item:
    where = group[0][1]
    prompts = {prompt_key(prompt_of(row, "prompt", place)) for row, place in group}
    if len(prompts) > 1:
        raise SchemaError(
            f"prompt_id {name!r} has {len(prompts)} different prompts",
            where=where,
            fix="give each prompt an id of its own",
        )
    grades = tuple(number_of(row, rating, place) for row, place in group)
    texts = _several(tuple(text_of(row, "response", place) for row, place in group), where)
    return Item(name, subset, prompt_of(group[0][0], "prompt", where), texts, grades)


def _told(items: Sequence[Item]) -> tuple[list[Item], tuple[str, ...]]:
    """The items that compare something, and a remark on those that do not."""
    kept = [item for item in items if item.others]
    if not kept:
        raise SchemaError(
            "all responses of every item are rated alike: there is nothing to compare",
            fix="give ratings that differ within a prompt",
        )
    alike = len(items) - len(kept)
    remark = f"{counted(alike, 'item')} left out, whose responses are all rated alike"
    return kept, (remark,) if alike else ()


def _metrics(items: Sequence[Item]) -> tuple[Metric, ...]:
    """By subset and over all: the share of pairs in the right order, and what the shape of the items allows beside it."""
    subsets = subset_names(item.subset for item in items)
    rows = [(s, [s]) for s in subsets if s != _ALL] + [(_ALL, subsets)]
    return tuple(
        mean_of_subsets(name, metric, [group], rule)
        for name, group in rows
        for metric, rule in _rules(items).items()
    )


def _rules(items: Sequence[Item]) -> Mapping[str, Rule]:
    several = any(len(item.responses) > 2 for item in items)
    graded = any(len(set(item.grades)) > 2 for item in items)
    rules: dict[str, Any] = {}
    if several:
        rules["all above"] = all_good_above_all_bad
        rules["best"] = best_is_good_or_shares
    if graded:
        rules["kendall"] = kendall_with_grades
    return rules | {"accuracy": share_of_pairs}
