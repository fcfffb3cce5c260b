"""Token-budget batches and padding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.errors import ConfigError
from charm_rm.models.scoring.batching import (
    choose_pad_token_id,
    collate,
    flash_bounds,
    pack,
    plan_batches,
    tokens_in,
)
from charm_rm.models.scoring.encoding import Encoded


@given(st.lists(st.integers(0, 500), max_size=80), st.integers(1, 2000))
def test_batches_cover_all_rows_once_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = plan_batches(lengths, token_budget=budget)
    assert sorted(int(i) for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= budget
    in_order = [lengths[i] for batch in batches for i in batch]
    assert in_order == sorted(lengths, reverse=True)


@given(st.lists(st.integers(1, 500), min_size=1, max_size=80), st.integers(1, 2000))
def test_unpadded_batches_count_tokens_as_they_are(lengths: list[int], budget: int) -> None:
    batches = plan_batches(lengths, token_budget=budget, padded=False)
    assert sorted(int(i) for batch in batches for i in batch) == list(range(len(lengths)))
    for batch, following in zip(batches, [*batches[1:], []], strict=True):
        tokens = tokens_in([lengths[i] for i in batch], padded=False)
        assert len(batch) == 1 or tokens <= budget
        assert len(following) == 0 or tokens + lengths[following[0]] > budget


@given(st.lists(st.integers(1, 500), min_size=1, max_size=20))
def test_padding_is_counted(lengths: list[int]) -> None:
    assert tokens_in(lengths) == len(lengths) * max(lengths)
    assert tokens_in(lengths, padded=False) == sum(lengths)


def test_a_budget_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="token_budget is 0"):
        plan_batches([1, 2], token_budget=0)


@pytest.mark.models
class TestCollate:
    rows = (Encoded([5, 6, 7], [0, 0, 1]), Encoded([8], [1]))

    @pytest.mark.parametrize(
        ("side", "ids", "mask"), [("right", [8, 9, 9], [1, 0, 0]), ("left", [9, 9, 8], [0, 0, 1])]
    )
    def test_pads_and_masks_either_side(self, side: Any, ids: list[int], mask: list[int]) -> None:
        pytest.importorskip("torch", reason="needs the [hf] extra")
        tensors = collate(self.rows, pad_token_id=9, side=side)
        assert tensors["input_ids"].tolist() == [[5, 6, 7], ids]
        assert tensors["attention_mask"].tolist() == [[1, 1, 1], mask]
        assert np.sum(tensors["token_type_ids"].numpy()) == 2


@pytest.mark.models
class TestPack:
    rows = (Encoded([5, 6, 7]), Encoded([8]), Encoded([9, 9]))

    def test_positions_restart_and_ends_are_where_rows_end(self) -> None:
        pytest.importorskip("torch", reason="needs the [hf] extra")
        tensors, ends = pack(self.rows)
        assert tensors["input_ids"].tolist() == [[5, 6, 7, 8, 9, 9]]
        assert tensors["position_ids"].tolist() == [[0, 1, 2, 0, 0, 1]]
        assert ends.tolist() == [2, 3, 5]

    def test_flash_attention_is_told_where_rows_begin(self) -> None:
        pytest.importorskip("torch", reason="needs the [hf] extra")
        bounds = flash_bounds([3, 1, 2])
        assert bounds["cu_seq_lens_q"].tolist() == [0, 3, 4, 6]
        assert bounds["max_length_k"] == 3


@pytest.mark.models
class TestPadToken:
    def test_a_pad_token_of_its_own_is_kept(self, make_tokenizer: Callable[..., Any]) -> None:
        tokenizer = make_tokenizer(pad="<system>")
        assert choose_pad_token_id(tokenizer, last=tokenizer.eos_token_id) == tokenizer.pad_token_id

    @pytest.mark.parametrize("pad", [None, "</s>"])
    def test_missing_or_eos_gives_way_to_a_spare_token(
        self, make_tokenizer: Callable[..., Any], pad: str | None
    ) -> None:
        tokenizer = make_tokenizer(pad=pad)
        assert choose_pad_token_id(tokenizer, last=tokenizer.eos_token_id) == tokenizer.unk_token_id

    def test_a_token_without_an_embedding_is_not_taken(self, make_tokenizer: Callable[..., Any]) -> None:
        tokenizer = make_tokenizer(pad="<system>")
        size = tokenizer.pad_token_id  # the table ends before it
        assert (
            choose_pad_token_id(tokenizer, last=tokenizer.eos_token_id, size=size) == tokenizer.unk_token_id
        )

    def test_the_last_token_is_avoided_even_where_it_is_not_eos(
        self, make_tokenizer: Callable[..., Any]
    ) -> None:
        tokenizer = make_tokenizer(pad="<unk>")
        assert choose_pad_token_id(tokenizer, last=tokenizer.unk_token_id) not in (
            tokenizer.unk_token_id,
            tokenizer.eos_token_id,
        )
