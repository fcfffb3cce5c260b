"""The folder of responses: one table in safe files, a manifest of all that decided them, what changed since."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.costs import Prices
from charm_rm.errors import OutputExists
from charm_rm.generation import (
    MANIFEST,
    changes,
    file_names,
    generate_responses,
    plan_record,
    read_manifest,
    save_responses,
    take_outputs,
)
from charm_rm.responses import load_responses
from generation_fakes import FakePolicy, many_prompts, plan_of

SIX = many_prompts(6)


def test_the_folder_is_one_table_of_responses(tmp_path: Path) -> None:
    parts = [
        generate_responses(plan_of(FakePolicy(), name), SIX, progress=False) for name in ("oak", "a/b: ü")
    ]
    manifest = save_responses(parts, tmp_path / "out", prompts={"n": 6}, prices=Prices(1.0, 2.0))
    found = load_responses(tmp_path / "out")
    assert found.policies == ["a/b: ü", "oak"]
    assert len(found) == 12
    assert "sample" not in found.frame.columns
    assert (
        found.frame.filter(pl.col("policy") == "oak")["response"].to_list()
        == parts[0].frame["response"].to_list()
    )
    assert json.loads((tmp_path / "out" / MANIFEST).read_text()) == manifest
    oak = manifest["policies"][0]
    assert (oak["file"], oak["counts"]["answers"], oak["usage"]["calls"]) == ("oak.parquet", 6, 6)
    assert oak["cost"] == pytest.approx((oak["usage"]["tokens_in"] + 2 * 18) / 1e6)
    assert load_responses(tmp_path / "out" / "oak.parquet").provenance["settings"]["temperature"] == 0.0
    with pytest.raises(OutputExists):
        save_responses(parts, tmp_path / "out", prompts={})


def test_where_one_policy_has_samples_all_have_the_column(tmp_path: Path) -> None:
    one = generate_responses(plan_of(FakePolicy()), SIX, progress=False)
    two = generate_responses(plan_of(FakePolicy(), "elm", temperature=1.0, samples=2), SIX, progress=False)
    save_responses([one, two], tmp_path / "out", prompts={})
    frame = pl.read_parquet(tmp_path / "out" / "*.parquet")
    assert frame.group_by("policy").len().sort("policy").rows() == [("elm", 12), ("oak", 6)]
    assert set(frame["sample"]) == {0, 1}


@given(st.lists(st.text(min_size=1, max_size=120), unique=True, max_size=8))
def test_file_names_are_safe_and_apart(policies: list[str]) -> None:
    names = file_names(policies)
    assert len({name.casefold() for name in names}) == len(policies)
    for name in names:
        assert name.endswith(".parquet")
        assert len(name) < 120
        assert name[0] not in "._"
        assert name.isascii()
        assert not set(name) & set('/\\:*?"<>| \0')


def test_plain_names_stay() -> None:
    assert file_names(["gpt-4.1", "SmolLM2_135M", "Oak", "oak"])[:3] == [
        "gpt-4.1.parquet",
        "SmolLM2_135M.parquet",
        "Oak.parquet",
    ]


def test_what_has_changed_is_told_by_its_name(tmp_path: Path) -> None:
    part = generate_responses(plan_of(FakePolicy(), system="Be brief."), SIX, progress=False)
    save_responses([part], tmp_path / "out", prompts={})
    before = read_manifest(tmp_path / "out")
    now = plan_record(
        [
            plan_of(FakePolicy(fingerprint="new"), system="Be rude.", temperature=1.0),
            plan_of(FakePolicy(), "elm"),
        ]
    )
    (line,) = changes(before, now)
    assert "policy 'oak' has changed (system 'Be brief.' -> 'Be rude.', temperature 0.0 -> 1.0" in line
    assert changes(before, plan_record([plan_of(FakePolicy(), system="Be brief.")])) == []
    assert read_manifest(tmp_path) == {}


# --- outputs that exist -------------------------------------------------------------------------


def write_alpaca(folder: Path, policy: str, answers: dict[str, str]) -> None:
    (folder / policy).mkdir(parents=True)
    rows = [{"instruction": p, "output": o, "generator": policy} for p, o in answers.items()]
    (folder / policy / "model_outputs.json").write_text(json.dumps(rows))


def test_outputs_are_taken_by_the_texts_of_prompts(tmp_path: Path) -> None:
    texts = SIX["prompt"].to_list()
    write_alpaca(tmp_path / "results", "oak", {p: f"oak {p}" for p in texts})
    write_alpaca(tmp_path / "results", "elm", {p: f"elm {p}" for p in [*texts[2:], "Other?"]})
    with pytest.warns(
        match="policy 'elm' .*: 2 prompts without an output, 1 output to other prompts left out"
    ):
        elm, oak = take_outputs(str(tmp_path / "results"), SIX)
    assert oak.frame["prompt_id"].to_list() == SIX["prompt_id"].to_list()
    assert oak.frame["response"].to_list() == [f"oak {p}" for p in texts]
    assert (elm.missing, elm.others, elm.frame.height) == (2, 1, 4)
    save_responses([elm, oak], tmp_path / "out", prompts={})
    assert load_responses(tmp_path / "out").policies == ["elm", "oak"]


def test_outputs_of_one_policy_may_be_renamed_of_several_not(tmp_path: Path) -> None:
    for policy in ("oak", "elm"):
        write_alpaca(tmp_path / "results", policy, {p: p for p in SIX["prompt"].to_list()})
    (only,) = take_outputs(str(tmp_path / "results" / "oak"), SIX, name="mine")
    assert set(only.frame["policy"]) == {"mine"}
    from charm_rm.errors import ConfigError, NoOverlap

    with pytest.raises(ConfigError, match="holds outputs of 2 policies"):
        take_outputs(str(tmp_path / "results"), SIX, name="mine")
    with pytest.raises(NoOverlap, match="none of its 6 outputs"):
        take_outputs(str(tmp_path / "results"), SIX.with_columns(prompt=pl.lit("Nobody asked this")))
