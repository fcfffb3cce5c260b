"""Tables of scores as people have them -> one row a score: prompt_id, policy, score.

==================  ===============================================================================================
layout              known by
==================  ===============================================================================================
long                columns for policy and score
nested              ``score`` holds lists (samples, or one a policy) or an object (policy -> score)
pairs               two policies and two scores a row: ``chosen_model``, ``rejected_model``, ``score_chosen`` ...
wide                no column for policy or score: every column of numbers is a policy, a row is a prompt
wide by prompt      a column for policy, none for score: every column of numbers is a prompt
==================  ===============================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from ..errors import SchemaError, counted, listing
from .names import SPELLINGS, folded, is_index, is_spelling
from .nested import with_inner_rows, with_parts
from .resolve import columns_of, option, preferring_texts, renamed, told
from .wide_scores import check_cells, from_wide, may_be_wide, score_columns

FIELDS = (
    "reward_model",
    "policy",
    "prompt_id",
    "prompt",
    "score",
    "sample",
    "n_tokens",
    "truncated",
    "text_hash",
)
_NOUN = "scores"
_SIDES = (("chosen", "rejected"), ("a", "b"), ("1", "2"))


def long_scores(frame: pl.DataFrame, given: Mapping[str, str], notes: list[str]) -> pl.DataFrame:
    """The rows of any of the layouts above, with :data:`FIELDS` under their own names; what was done goes to ``notes``.

    Raises:
        SchemaError: of no layout; it names the option that would help.
        ConfigError: a column of ``given`` is not there.
    """
    frame = _samples_side_by_side(_unnested(frame, notes), given, notes)
    if not given and (pairs := _sides(frame)):
        return _from_pairs(frame, pairs, notes)
    named = columns_of(frame, FIELDS, given, noun=_NOUN)
    found = preferring_texts(named, given)
    if spare := [c for f, c in named.items() if f not in found]:
        frame = frame.drop(spare)
        notes.append(f"left out {listing(spare)}, as there is a column of prompts")
    notes += [words for words in [told(found)] if words]
    if "score" in found:
        return _exploded(_without_index(_needing_policy(renamed(frame, found)), notes), notes)
    numbers = score_columns(frame, found)
    if not may_be_wide(frame, found):
        raise _no_score(frame, numbers)
    check_cells(frame, found, numbers)
    if len(numbers) < 2:
        raise _no_score(frame, numbers)
    return from_wide(frame, found, numbers, notes)


# --- long -----------------------------------------------------------------------------------------


def _needing_policy(frame: pl.DataFrame) -> pl.DataFrame:
    if "policy" not in frame.columns:
        near = [option("policy", c) for c in _may_name(frame)[:4]]
        raise SchemaError(
            f"scores: no column names the policy (the model that answered); found {listing(frame.columns, limit=20)}",
            fix=f"say which column it is: {' or '.join(near) or option('policy')}",
        )
    return frame


def _may_name(frame: pl.DataFrame) -> list[str]:
    """The columns of texts that recur, as names of policies do."""
    texts = [s for s in frame if s.dtype == pl.String and s.name not in FIELDS]
    return [s.name for s in texts if 1 < s.n_unique() <= max(2, frame.height / 2)]


def _without_index(frame: pl.DataFrame, notes: list[str]) -> pl.DataFrame:
    """Without the numbers of rows that pandas writes in front."""
    index = [c for c in frame.columns if is_index(c)]
    if index:
        notes.append(f"left out the column {listing(index)}, an index")
    return frame.drop(index)


def _no_score(frame: pl.DataFrame, numbers: list[str]) -> SchemaError:
    of = f"; columns of numbers: {listing(numbers, limit=20)}" if numbers else ""
    found = "" if numbers else f"; found {listing(frame.columns, limit=20)}"
    return SchemaError(
        f"scores: no column is known to hold the score{of}{found}",
        fix="say which column it is: "
        + (" or ".join(option("score", n) for n in numbers[:4]) or option("score")),
    )


def _exploded(frame: pl.DataFrame, notes: list[str]) -> pl.DataFrame:
    """Scores in lists: one row each. Beside an equally long list of policies they are the policies'; else they are samples."""
    frame = _with_written_lists(frame)
    if not isinstance(frame.schema["score"], pl.List):
        return frame
    empty = frame["score"].list.len().eq(0).fill_null(False)
    if empty.any():
        raise SchemaError(
            "the list of scores is empty: the score is missing",
            where=f"scores, row {int(empty.arg_true()[0])}",
            fix="drop the row, or give its scores",
        )
    if isinstance(frame.schema["policy"], pl.List):
        other = frame["policy"].list.len() != frame["score"].list.len()
        if other.fill_null(True).any():
            row = int(other.fill_null(True).arg_true()[0])
            raise SchemaError(
                "there are not as many policies as scores",
                where=f"scores, row {row}",
                fix="give each policy a score",
            )
        notes.append("read the lists of policies and scores element by element")
        return frame.explode("policy", "score")
    if (frame["score"].list.len() == 1).all():
        notes.append("took the scores out of lists of one")
        return frame.explode("score")
    notes.append("read the lists of scores as samples of one policy on one prompt")
    numbered = frame.drop("sample", strict=False).with_columns(
        pl.int_ranges(pl.col("score").list.len()).alias("sample")
    )
    return numbered.explode("score", "sample")


_NUMBER = r"\s*-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?\s*"
_WRITTEN_LIST = rf"^\s*\[({_NUMBER}(,{_NUMBER})*)?\]\s*$"


def _with_written_lists(frame: pl.DataFrame) -> pl.DataFrame:
    """Lists of numbers as a CSV file must write them, ``[1.5, -0.25]``, as lists; anything else stays for the noun to refuse."""
    if (
        frame.schema["score"] != pl.String
        or not frame["score"].drop_nulls().str.contains(_WRITTEN_LIST).all()
    ):
        return frame
    inside = pl.col("score").str.strip_chars(" \t\r\n[]")
    numbers = inside.str.split(",").list.eval(pl.element().str.strip_chars().cast(pl.Float64, strict=False))
    none = pl.lit([], dtype=pl.List(pl.Float64))
    return frame.with_columns(pl.when(inside == "").then(none).otherwise(numbers).alias("score"))


def _samples_side_by_side(frame: pl.DataFrame, given: Mapping[str, str], notes: list[str]) -> pl.DataFrame:
    """Columns ``score_0``, ``score_1`` ... of one policy's samples as rows of samples."""
    stems: dict[str, dict[str, int]] = {}
    for column in frame.columns:
        stem, _, number = folded(column).rpartition("_")
        if number.isdigit() and is_spelling(stem, "score") and frame.schema[column].is_numeric():
            stems.setdefault(stem, {})[column] = int(number)
    has_policy = any(is_spelling(c, "policy") for c in frame.columns)
    if len(stems) != 1 or given.keys() & {"score", "sample"} or not has_policy:
        return frame
    numbers = next(iter(stems.values()))
    if len(numbers) < 2 or any(is_spelling(c, "score") for c in frame.columns):
        return frame
    notes.append(f"read columns {listing(numbers)} as samples of one policy on one prompt")
    index = [c for c in frame.columns if c not in numbers]
    long = frame.unpivot(on=list(numbers), index=index, variable_name="sample", value_name="score")
    whole = long.with_columns(pl.col("sample").replace_strict(numbers, return_dtype=pl.Int64)).drop_nulls(
        "score"
    )
    if empty := long.height - whole.height:
        notes.append(f"left out {counted(empty, 'empty cell')}")
    return whole


def _unnested(frame: pl.DataFrame, notes: list[str]) -> pl.DataFrame:
    """Objects policy -> score as columns; lists of objects that name policies and scores as rows."""
    for name, dtype in frame.schema.items():
        if isinstance(dtype, pl.Struct) and is_spelling(name, "score"):
            notes.append(f"took the parts of {name!r} as columns")
            return with_parts(frame, name)
    return with_inner_rows(frame, ("policy", "score"), notes)


# --- pairs ----------------------------------------------------------------------------------------


def _sides(frame: pl.DataFrame) -> dict[str, tuple[str, str]] | None:
    """Columns of both sides: policy and score of ``chosen`` and ``rejected``, or of a and b; None where a part is missing."""
    by_name = {folded(c): c for c in frame.columns}
    for one, other in _SIDES:
        found = {}
        for field in ("policy", "score"):
            words = [n for tier in [(field,), *SPELLINGS[field]] for n in tier]
            for word in words:
                both = [
                    next((by_name[n] for n in (f"{word}_{side}", f"{side}_{word}") if n in by_name), None)
                    for side in (one, other)
                ]
                if field not in found and both[0] and both[1]:
                    found[field] = (both[0], both[1])
        if len(found) == 2:
            return found
    return None


def _from_pairs(frame: pl.DataFrame, sides: Mapping[str, tuple[str, str]], notes: list[str]) -> pl.DataFrame:
    """Two rows of each; a score that several pairs repeat is one."""
    spare = frame.drop([c for both in sides.values() for c in both])
    taken = preferring_texts(columns_of(spare, ("reward_model", "prompt_id", "prompt"), {}, noun=_NOUN), ())
    if "reward_model" not in taken and "model" in spare.columns:
        taken["reward_model"] = "model"  # of a file of one model's results on a benchmark
    rest = renamed(spare, taken).select(list(taken))
    parts = [
        rest.with_columns(frame[sides["policy"][i]].alias("policy"), frame[sides["score"][i]].alias("score"))
        for i in (0, 1)
    ]
    if isinstance(frame.schema[sides["score"][0]], pl.List):
        parts = [p.explode("score") for p in parts]
    notes.append(
        "read two scores a row: "
        + " and ".join(f"{sides['score'][i]!r} of {sides['policy'][i]!r}" for i in (0, 1))
        + (f", {told(taken).removeprefix('read ')}" if told(taken) else "")
    )
    return pl.concat(parts, how="vertical_relaxed").unique(maintain_order=True)
