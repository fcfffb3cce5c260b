"""The report on names, and the alias table that it writes."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from charm_rm import store
from charm_rm.errors import SchemaError
from charm_rm.ratings import compare_names, read_aliases, resolve_names
from charm_rm.tables import Ratings

RATED = Ratings(
    pl.DataFrame(
        {
            "policy": ["Gemma 2 9B IT", "Claude 3.5 Sonnet (20241022)", "Vicuna-7B", "oak"],
            "rating": [1267.0, 1370.0, 1000.0, 1100.0],
        }
    )
)
POLICIES = [
    "gemma-2-9b-it-SimPO",
    "anthropic/claude-3-5-sonnet-20241022",
    "vicuna-7b-v1.5",
    "Oak",
    "mine",
    "zzz",
]


def test_every_way_to_a_rating_is_told() -> None:
    found = compare_names(POLICIES, RATED, aliases={"mine": "oak"})
    assert [(m.policy, m.rated, m.how) for m in found.matched] == [
        ("vicuna-7b-v1.5", "Vicuna-7B", "shipped alias, close"),
        ("Oak", "oak", "case and punctuation"),
        ("mine", "oak", "your alias"),
    ]
    assert [m.policy for m in found.unmatched] == [
        "gemma-2-9b-it-SimPO",
        "anthropic/claude-3-5-sonnet-20241022",
        "zzz",
    ]
    nearness = {p: [(n.name, n.nearness) for n in near] for p, near in found.near.items()}
    assert nearness == {
        "gemma-2-9b-it-SimPO": [("Gemma 2 9B IT", "another")],
        "anthropic/claude-3-5-sonnet-20241022": [("Claude 3.5 Sonnet (20241022)", "same parts")],
        "zzz": [],
    }
    assert found.origin == {"n": 4}


def test_the_alias_table_fills_in_the_same_parts_alone() -> None:
    table = compare_names(POLICIES, RATED, aliases={"mine": "oak"}).alias_table()
    assert table.rows() == [
        ("mine", "oak", "", ""),
        ("gemma-2-9b-it-SimPO", "", "", "'Gemma 2 9B IT': a different model? (tuning simpo only in yours)"),
        ("anthropic/claude-3-5-sonnet-20241022", "Claude 3.5 Sonnet (20241022)", "check", ""),
        ("zzz", "", "", ""),
    ]


@pytest.mark.parametrize("name", ["aliases.csv", "aliases.json", "aliases.jsonl", "aliases.parquet"])
def test_what_was_not_filled_in_is_refused_and_what_was_is_used(tmp_path: Path, name: str) -> None:
    table = compare_names(POLICIES, RATED).alias_table()
    path = store.write_frame(table, tmp_path / name)
    with pytest.raises(SchemaError, match="an empty name.*\n.*drop the row"):
        read_aliases(path)
    store.write_frame(table.filter(pl.col("arena_name") != ""), path, force=True)
    names = resolve_names([POLICIES[1]], RATED, aliases=path)
    assert names == {POLICIES[1]: "Claude 3.5 Sonnet (20241022)"}


def test_two_names_with_the_same_parts_are_not_chosen_between() -> None:
    twins = Ratings(pl.DataFrame({"policy": ["Sonnet 3.5", "sonnet-3-5"], "rating": [1.0, 2.0]}))
    table = compare_names(["anthropic/sonnet-3.5"], twins).alias_table()
    assert table["arena_name"].to_list() == [""]
    assert "'Sonnet 3.5': the same model?" in table["note"][0]


def test_a_name_that_fits_several_is_listed_beside_the_others() -> None:
    twins = Ratings(
        pl.DataFrame({"policy": ["Gemma-2B-it", "gemma-2b-it", "oak"], "rating": [1.0, 2.0, 3.0]})
    )
    found = compare_names(["GEMMA-2b-it", "Oak"], twins)
    assert [(m.policy, m.how) for m in found.unmatched] == [("GEMMA-2b-it", "fits several")]
    assert [m.policy for m in found.matched] == ["Oak"]
    assert [n.name for n in found.near["GEMMA-2b-it"]] == ["Gemma-2B-it", "gemma-2b-it"]
    assert found.alias_table()["arena_name"].to_list() == [""]
