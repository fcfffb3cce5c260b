"""Which column is which field, and that the documentation lists the names."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from charm_rm.errors import SchemaError
from charm_rm.reading.names import SPELLINGS, folded, is_index, is_name_or_id
from charm_rm.reading.resolve import columns_of, renamed, told

DOCS = Path(__file__).parents[2] / "docs" / "data-formats.md"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Prompt ID", "prompt_id"),
        ("promptId", "prompt_id"),
        ("PromptID", "prompt_id"),
        (" prompt-id ", "prompt_id"),
        ("prompt.id", "prompt_id"),
        ("RM  Score", "rm_score"),
        ("\ufeffmodel", "model"),
        ("Modèle", "modèle"),
    ],
)
def test_names_are_compared_folded(name: str, expected: str) -> None:
    assert folded(name) == expected


def test_a_name_means_one_field() -> None:
    names = [(n, field) for field, tiers in SPELLINGS.items() for tier in tiers for n in tier]
    assert len({n for n, _ in names} | set(SPELLINGS)) == len(names) + len(SPELLINGS)
    assert all(folded(n) == n for n, _ in names)


def test_the_documentation_lists_every_name() -> None:
    text = DOCS.read_text()
    assert not [n for tiers in SPELLINGS.values() for tier in tiers for n in tier if f"`{n}`" not in text]


def test_an_earlier_tier_wins_and_a_field_is_itself_first() -> None:
    frame = pl.DataFrame({"id": ["r1"], "question_id": ["q"], "Prompt ID": ["p"]})
    assert columns_of(frame, ["prompt_id"], {}, noun="scores") == {"prompt_id": "Prompt ID"}
    assert columns_of(frame.drop("Prompt ID"), ["prompt_id"], {}, noun="scores") == {
        "prompt_id": "question_id"
    }
    assert columns_of(frame, ["prompt_id"], {"prompt_id": "id"}, noun="scores") == {"prompt_id": "id"}


def test_two_columns_that_say_the_same_are_one() -> None:
    frame = pl.DataFrame({"model": ["a", "b"], "generator": ["a", "b"]})
    assert columns_of(frame, ["policy"], {}, noun="scores") == {"policy": "model"}
    with pytest.raises(
        SchemaError, match="--column responses.policy=model or --column responses.policy=generator"
    ):
        other = frame.with_columns(generator=pl.lit("a"))
        columns_of(other, ["policy"], {}, noun="responses", table="responses")


def test_renaming_moves_a_column_that_has_a_fields_name_out_of_the_way() -> None:
    frame = pl.DataFrame({"score": [9.0], "reward": [1.0], "policy": ["a"]})
    found = columns_of(frame, ["policy", "score"], {"score": "reward"}, noun="scores")
    assert renamed(frame, found).to_dicts() == [{"score": 1.0, "policy": "a"}]
    assert told(found) == "read 'reward' as score"


def test_ids_and_indices_are_known() -> None:
    assert is_name_or_id("Question ID")
    assert is_name_or_id("")
    assert not is_name_or_id("score")
    assert is_index("Unnamed: 0")
    assert not is_index("unnamed")
