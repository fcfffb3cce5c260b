"""The table of readers: whole, and chosen from as asked, as known, as seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from charm_rm.errors import ModelError
from charm_rm.models.loading import source as sources
from charm_rm.models.loading.readers import READERS, kind_of, read_model
from charm_rm.models.loading.reduction import parse_reward
from charm_rm.models.loading.registry import Kind, entry_named, list_entries
from charm_rm.models.loading.source import Source


def source(choice: str | None = None, entry: str | None = None, *, own_code: bool = False) -> Source:
    return Source(
        Path("nowhere"),
        {"auto_map": {"AutoModel": "x.Y"}} if own_code else {},
        entry_named(entry) if entry else None,
        parse_reward(choice) if choice else None,
        {"trust_remote_code": own_code},
        Path("nowhere"),
    )


def test_every_kind_has_one_reader_in_a_file_of_its_own() -> None:
    assert set(READERS) == set(get_args(Kind))
    assert len({reader.__module__ for reader in READERS.values()}) == len(READERS)


def test_every_entry_of_the_registry_is_read_as_its_kind() -> None:
    for entry in list_entries():
        assert kind_of(source(entry=entry.name)) == entry.kind


@pytest.mark.parametrize(
    ("choice", "kind"),
    [("head:mine", "linear-head"), ("token:7", "first-token"), ("output:0", "sequence-classifier")],
)
def test_what_is_asked_for_goes_first(choice: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "find_saved_head", lambda _checkpoint: None)
    assert kind_of(source(choice)) == kind


@pytest.mark.parametrize(("own_code", "kind"), [(False, "linear-head"), (True, "sequence-classifier")])
def test_a_head_that_shows_is_read_unless_trusted_code_knows_better(
    own_code: bool, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "find_saved_head", lambda _checkpoint: "v_head")
    assert kind_of(source(own_code=own_code)) == kind


def test_a_pair_ranker_is_sent_elsewhere() -> None:
    ranker = next(e.name for e in list_entries() if e.kind == "pair-ranker")
    tokenizer: Any = None
    with pytest.raises(ModelError, match="compares two responses"):
        read_model(source(entry=ranker), tokenizer)
