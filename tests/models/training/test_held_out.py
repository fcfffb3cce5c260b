"""Held-out pairs: the rewards of a plain forward pass of each row, and no row computed twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.preferences import as_preferences

pytestmark = pytest.mark.models
pytest.importorskip("torch", reason="needs the [hf] extra")
pytest.importorskip("trl", reason="needs the [hf] extra")
datasets = pytest.importorskip("datasets", reason="needs the [hf] extra")


@dataclass
class Counting:
    """Gives each row the sum of its tokens, types weighing more, and remembers what it was asked."""

    asked: list[tuple[int, ...]] = field(default_factory=list)
    source: str = "counting"
    device: str = "cpu"
    token_budget: int = 12
    unpadded: bool = False
    replicas: Sequence[Any] = ()

    def launch(self, batch: Sequence[Any]) -> Any:
        from charm_rm.models.scoring.launched import Ready

        self.asked += [(*row.input_ids, *(row.token_type_ids or ())) for row in batch]
        return Ready([sum(row.input_ids) + 100 * sum(row.token_type_ids or ()) for row in batch])


IDS = st.lists(st.integers(0, 3), min_size=1, max_size=3)


@given(st.lists(st.tuples(IDS, IDS), min_size=1, max_size=12), st.booleans())
def test_each_distinct_row_is_computed_once(pairs: list[tuple[list[int], list[int]]], types: bool) -> None:
    from charm_rm.models.training.held_out import score_pairs
    from charm_rm.models.training.pairs import EncodedPairs

    rows = [
        {f"{side}_ids": ids for side, ids in zip(("chosen", "rejected"), pair, strict=True)}
        | ({f"{side}_types": [i % 2 for i in ids] for side, ids in zip(("chosen", "rejected"), pair, strict=True)}
           if types else {})
        for pair in pairs
    ]  # fmt: skip
    dataset = datasets.Dataset.from_list(rows).with_format("numpy")
    model = Counting()
    found = score_pairs(model, EncodedPairs(dataset, np.arange(len(rows)), 0, 0))

    def expected(ids: list[int]) -> int:
        return sum(ids) + (100 * sum(i % 2 for i in ids) if types else 0)

    np.testing.assert_array_equal(found, [[expected(pair[side]) for pair in pairs] for side in (0, 1)])
    assert len(model.asked) == len(set(model.asked)) == len({tuple(ids) for pair in pairs for ids in pair})


def test_pairs_read_by_the_thousand_are_those_read_one_by_one(
    minilm_dir: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts go to the tokenizer many at a time, here three; margins and prompts stay with their pairs."""
    import transformers

    from charm_rm.models.scoring.encoding import ResponseEncoder
    from charm_rm.models.training import pairs as module

    monkeypatch.setattr(module, "TEXTS_PER_CALL", 3)
    words = ["a short one", "a longer one " * 9, "of middle length " * 3, "", "ends"]
    rows = [
        {"prompt": f"why {w}", "chosen": f"x {v}", "rejected": f"y {v} {w}", "margin": float(i)}
        for i, (w, v) in enumerate(zip(words * 2, words[::-1] * 2, strict=True))
    ]
    preferences = as_preferences(pl.DataFrame(rows))
    encoder = ResponseEncoder(transformers.AutoTokenizer.from_pretrained(minilm_dir), 24)
    found = module.encode_pairs(preferences, encoder, margin=True)
    assert len(found) == len(rows)
    for row, example in zip(preferences.frame.iter_rows(named=True), found.dataset, strict=True):
        for side in module.SIDES:
            read, alone = module.row_of(example, side), encoder.encode(row["prompt"], row[side][0]["content"])
            assert (read.input_ids, read.token_type_ids) == (alone.input_ids, alone.token_type_ids)
        assert example["margin"] == row["margin"]
