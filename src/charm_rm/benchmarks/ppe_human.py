"""PPE, human preference (Frick et al., ICLR 2025): 16,038 battles of the Chatbot Arena, and the ranking of models that they give.

Original files: the hub's ``lmarena-ai/PPE-Human-Preference-V1``, split ``test``: ``question_id``, ``model_a``, ``model_b``, ``winner``
(``model_a``, ``model_b``, ``tie``, ``tie (bothbad)``), ``prompt``, ``response_1``, ``response_2``.

Scored as the paper describes; the authors' code is not compared. ``accuracy`` is over the battles that a person decided; equal scores
count a half. A model's win rate against another one is that over their battles, by people and by the reward model, ties a half. From
these: ``row-wise pearson``, the mean over models of the correlation of its win rates against the others, and ``spearman`` and
``kendall`` of the models' mean win rates. The paper's separability, agreement of confidence and Brier score are not rebuilt.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import SchemaError
from ..statistics import FloatArray, kendall, spearman
from .definition import Benchmark
from .files import Row, find, nothing_found, one_of, one_table, prompt_of, read_items, text_of
from .items import Item
from .metrics import Metric, Part, mean_of_subsets
from .official import equal_texts, refuse_repeated_ids
from .registry import benchmark
from .rules import every_pair, no_pair, rule, share_of_pairs
from .scored import ScoredItem

_NAME = "ppe-human"
_OFFICIAL_ITEMS = 16_038
_VOTES = {"model_a": 1.0, "model_b": 0.0, "tie": 0.5, "tie (bothbad)": 0.5}
_AGAINST = " / "
_CORRELATED = 3  # with two models there is nothing to correlate
TIE_VALUE = 0.5
_FILES = tuple(
    f"{beginning}{suffix}"
    for beginning in (
        "*PPE-Human-Preference-V1*/**/test*",
        "ppe-human-preference/**/test*",
        "*PPE-Human-Preference-V1*",
        "ppe_human*",
    )
    for suffix in (".parquet", ".jsonl", ".json")
)


@benchmark(
    name=_NAME,
    about="does it prefer what people preferred in the Chatbot Arena, and rank the models as they do?",
    citation="Frick et al., How to Evaluate Reward Models for RLHF, ICLR 2025",
    licence="prompts CC BY 4.0, responses under their providers' terms",
    items=_OFFICIAL_ITEMS,
    source="https://huggingface.co/datasets/lmarena-ai/PPE-Human-Preference-V1",
    hub=("lmarena-ai/PPE-Human-Preference-V1",),
)
def load_ppe_human(folder: Path) -> Benchmark:
    """Load the battles; fewer than the official number are noted as partial.

    Raises:
        UnreadableFile: nothing of PPE's human preference is below the folder, or a file cannot be read.
        SchemaError: a battle lacks a key, has an unknown winner, or is between a model and itself.
    """
    folder = Path(folder)
    files = find(folder, *_FILES)
    if not files:
        raise nothing_found("PPE human preference", folder, _FILES[0])
    items = tuple(read_items(one_table(files, "PPE human preference"), _item))
    refuse_repeated_ids(_NAME, items)
    partial = len(items) != _OFFICIAL_ITEMS
    notes = (f"{len(items):,} battles, officially {_OFFICIAL_ITEMS:,}",) if partial else ()
    same = tuple(equal_texts(items))
    return Benchmark(_NAME, items, _metrics(items, partial=partial), TIE_VALUE, notes, remarks=same)


def _item(row: Row, where: str) -> Item:
    """A battle; its subset is its two models in order of name, and its responses are in the order of its models."""
    models = text_of(row, "model_a", where), text_of(row, "model_b", where)
    if models[0] == models[1]:
        raise SchemaError(f"a battle of {models[0]!r} with itself", where=where, fix="fetch the file again")
    first = _VOTES[one_of(row, "winner", _VOTES, where)]
    sides = sorted(
        zip(models, (text_of(row, f"response_{i}", where) for i in (1, 2)), (first, 1 - first), strict=True)
    )
    subset = _AGAINST.join(model for model, _, _ in sides)
    texts, grades = tuple(text for _, text, _ in sides), tuple(grade for _, _, grade in sides)
    return Item(str(row.get("question_id", where)), subset, prompt_of(row, "prompt", where), texts, grades)


# --- rankings ---------------------------------------------------------------------------------------


@rule(every_pair, batch=lambda stack: stack.outcomes[:, 0, 1])
def model_wins(scored: ScoredItem) -> float:
    """1 where the reward model prefers the first response, a half where it holds both equal."""
    return float(scored.outcome([(0, 1)])[0])


@rule(no_pair, batch=lambda stack: stack.grades[:, 0])
def people_win(scored: ScoredItem) -> float:
    """1 where people prefer the first response, a half where it was a tie."""
    return float(scored.grades[0])


def _metrics(items: Sequence[Item], *, partial: bool) -> tuple[Metric, ...]:
    subsets = list(dict.fromkeys(item.subset for item in items))
    decided = list(dict.fromkeys(item.subset for item in items if item.others))
    accuracy = mean_of_subsets("all", "accuracy", [decided], share_of_pairs, partial=partial)
    models = sorted({model for subset in subsets for model in subset.split(_AGAINST)})
    if len(models) < _CORRELATED:
        return (accuracy,)
    parts = tuple(Part((s,), r) for r in (model_wins, people_win) for s in subsets)
    table = _Tables(models, subsets)
    correlations = {
        "row-wise pearson": table.row_wise_pearson,
        "spearman": table.spearman,
        "kendall": table.kendall,
    }
    ranked = [Metric("models", name, parts, partial, combine=f) for name, f in correlations.items()]
    return (*ranked, accuracy)


class _Tables:
    """Win rates of models against each other, from the means of pairs of models: by the reward model, then by people."""

    def __init__(self, models: Sequence[str], subsets: Sequence[str]) -> None:
        position = {model: i for i, model in enumerate(models)}
        pairs = np.array([[position[m] for m in subset.split(_AGAINST)] for subset in subsets])
        self.first, self.second, self.n = pairs[:, 0], pairs[:, 1], len(models)

    def _tables(self, values: FloatArray) -> FloatArray:
        """(2, ..., models, models); NaN where two models never met."""
        halves = np.stack(np.split(values, 2, axis=-1))
        table = np.full((*halves.shape[:-1], self.n, self.n), np.nan)
        table[..., self.first, self.second] = halves
        table[..., self.second, self.first] = 1 - halves
        return table

    def row_wise_pearson(self, values: FloatArray) -> FloatArray:
        """Mean over models of the correlation of its win rates, as the reward model and as people have them."""
        table = self._tables(values)
        centred = np.nan_to_num(table - np.nanmean(table, axis=-1, keepdims=True))
        squares = (centred**2).sum(axis=-1).prod(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            rows = centred.prod(axis=0).sum(axis=-1) / np.sqrt(squares)
        return np.asarray(
            np.nan_to_num(rows).mean(axis=-1)
        )  # a model with the same win rate against all tells nothing

    def spearman(self, values: FloatArray) -> FloatArray:
        """Spearman's correlation of the models' mean win rates."""
        mine, theirs = np.nanmean(self._tables(values), axis=-1)
        return spearman(mine, theirs)

    def kendall(self, values: FloatArray) -> FloatArray:
        """Kendall's correlation of the same."""
        mine, theirs = np.nanmean(self._tables(values), axis=-1)
        return kendall(mine, theirs)
