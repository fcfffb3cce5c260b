"""Several processes that train together: each pair is one process's, and what they cannot do is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.errors import ConfigError
from charm_rm.models.training.processes import (
    ALONE,
    Processes,
    by_the_first,
    deal,
    gathered,
    refuse_together,
    these_processes,
)
from charm_rm.models.training.settings import TrainSettings


@given(pairs=st.integers(1, 70), at_once=st.integers(1, 9), count=st.integers(1, 8))
def test_every_pair_is_dealt_once_in_as_many_groups_for_each(pairs: int, at_once: int, count: int) -> None:
    order = np.random.default_rng(pairs).permutation(pairs)
    hands = [deal(order, at_once=at_once, processes=Processes(rank, count)) for rank in range(count)]
    assert len({len(hand) for hand in hands}) == 1
    groups = [(group, counted) for hand in hands for group, counted in hand]
    assert all(1 <= len(group) <= at_once and counted in (0, len(group)) for group, counted in groups)
    dealt = [i for group, counted in groups if counted for i in group.tolist()]
    assert sorted(dealt) == list(range(pairs))


def test_who_this_is_comes_from_the_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    assert these_processes() == ALONE
    for name, value in {"WORLD_SIZE": "4", "RANK": "3", "ACCELERATE_USE_FSDP": "true"}.items():
        monkeypatch.setenv(name, value)
    assert these_processes() == Processes(3, 4, "fsdp")
    assert not these_processes().first


def test_a_process_alone_does_all_by_itself() -> None:
    assert by_the_first(ALONE, lambda: 7) == 7
    assert gathered(ALONE, "mine") == ["mine"]


@pytest.mark.parametrize(
    ("processes", "settings", "anchored", "says"),
    [
        (Processes(0, 2), {}, True, "anchored training takes one process"),
        (Processes(0, 4), {"batch_size": 3}, False, "a step of 3 pairs is too small for 4 processes"),
        (Processes(0, 2, "fsdp"), {"lora": True}, False, "adapters are not trained with weights spread"),
    ],
)
def test_what_cannot_be_done_together_is_refused(
    processes: Processes, settings: dict[str, int], anchored: bool, says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        refuse_together(processes, TrainSettings(**settings), anchored=anchored)  # type: ignore[arg-type]
    refuse_together(ALONE, TrainSettings(**settings), anchored=anchored)  # type: ignore[arg-type]
