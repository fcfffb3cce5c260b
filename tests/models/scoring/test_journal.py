"""What a run knows of its texts: its own rows, those of other runs, the budget it came down to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from charm_rm.memo import Memo
from charm_rm.models.scoring.journal import Journal, Row


@pytest.fixture
def memo(tmp_path: Path) -> Iterator[Memo]:
    with Memo.open(tmp_path / "memo.sqlite") as opened:
        yield opened


KEYS = ["a", "b", "c"]


def test_rows_of_other_runs_are_not_planned_and_own_ones_are(memo: Memo) -> None:
    Journal(memo, ["b"], request="other").add({"b": Row(2.0, 5, True)})
    mine = Journal(memo, KEYS, request="mine")
    assert mine.planned == ["a", "c"]
    mine.add({"a": Row(1.0, 3, False)})
    again = Journal(memo, KEYS, request="mine")
    assert again.run == mine.run
    assert again.planned == ["a", "c"]
    assert again.rows == {"a": Row(1.0, 3, False), "b": Row(2.0, 5, True)}
    assert again.others == {"b"}


@pytest.mark.parametrize(
    ("keys", "request_"), [(["a", "b"], "mine"), (["c", "b", "a"], "mine"), (KEYS, "yours")]
)
def test_another_request_is_another_run(memo: Memo, keys: list[str], request_: str) -> None:
    assert Journal(memo, keys, request=request_).run != Journal(memo, KEYS, request="mine").run


def test_a_known_row_stays_as_it_is(memo: Memo) -> None:
    journal = Journal(memo, KEYS, request="mine")
    journal.add({"a": Row(1.0)})
    journal.add({"a": Row(9.0), "b": Row(2.0)})
    expected = {"a": Row(1.0), "b": Row(2.0)}
    assert journal.rows == expected
    assert Journal(memo, KEYS, request="mine").rows == expected


def test_the_smallest_budget_is_remembered_for_the_run(memo: Memo) -> None:
    journal = Journal(memo, KEYS, request="mine")
    assert journal.limit is None
    for limit in (None, 512, 512, 128, 512):
        journal.add({}, limit=limit)
    assert journal.limit == 128
    assert Journal(memo, KEYS, request="mine").limit == 128
    assert Journal(memo, KEYS, request="yours").limit is None
