"""Battles in three layouts, and labels nobody knows."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from charm_rm.errors import CharmWarning, SchemaError, UnreadableFile
from charm_rm.ratings import load_battles


def written(folder: Path, **columns: list) -> Path:
    path = folder / "battles.parquet"
    pl.DataFrame(columns).write_parquet(path)
    return path


def test_our_own_layout_keeps_its_columns(tmp_path: Path) -> None:
    path = written(tmp_path, policy_a=["x"], policy_b=["y"], winner=["both_bad"], weight=[2], length_a=[10])
    assert load_battles(path).frame.row(0) == ("x", "y", "both_bad", 2.0, 10)


def test_the_arena_layout_in_all_its_labels(tmp_path: Path) -> None:
    labels = ["model_a", "model_b", "tie", "both_bad", "tie (bothbad)"]
    path = written(
        tmp_path, model_a=["x"] * 5, model_b=["y"] * 5, winner=labels, turn=[1] * 5, language=["en"] * 5
    )
    battles = load_battles(path)
    assert battles.frame["winner"].to_list() == ["a", "b", "tie", "both_bad", "both_bad"]
    assert battles.frame.columns == ["policy_a", "policy_b", "winner", "turn"]


def test_the_kaggle_layout(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text(
        "id,model_a,model_b,winner_model_a,winner_model_b,winner_tie\n1,x,y,1,0,0\n2,x,y,0,1,0\n3,y,x,0,0,1\n"
    )
    battles = load_battles(path)
    assert battles.frame["winner"].to_list() == ["a", "b", "tie"]
    assert "winner_tie" not in battles.frame.columns


@pytest.mark.parametrize("label", ["Model_A", "bothbad", "", "draw", None])
def test_an_unknown_label_names_row_and_label(tmp_path: Path, label: str | None) -> None:
    path = written(tmp_path, model_a=["x", "x"], model_b=["y", "y"], winner=["tie", label])
    with pytest.raises(SchemaError) as caught:
        load_battles(path)
    assert f"battles, row 1: winner {label!r} is not one of model_a" in str(caught.value)
    assert str(path) in str(caught.value)


def test_an_unknown_label_in_our_own_layout_names_row_and_label(tmp_path: Path) -> None:
    path = written(tmp_path, policy_a=["x", "x"], policy_b=["y", "y"], winner=["a", "model_a"])
    with pytest.raises(SchemaError, match=r"row 1 .*winner 'model_a' is not one of a, b, tie, both_bad"):
        load_battles(path)


def test_the_winner_may_be_named(tmp_path: Path) -> None:
    """Policies that are called A and B, too; a name that is the label of the other is refused."""
    path = written(
        tmp_path,
        model_a=["A", "A", "B", "A"],
        model_b=["B"] * 2 + ["A"] + ["B"],
        winner=["A", "B", "B", "tie"],
    )
    assert load_battles(path).frame["winner"].to_list() == ["a", "b", "a", "tie"]
    path = written(tmp_path, model_a=["x"], model_b=["model_a"], winner=["model_a"])
    with pytest.raises(
        SchemaError, match="'model_a' is the name of one policy and the label of something else"
    ):
        load_battles(path)


@pytest.mark.parametrize("flags", [(1, 1, 0), (0, 0, 0), (2, 0, 0), (None, 1, 0)])
def test_kaggle_flags_that_are_not_one_hot_are_refused(tmp_path: Path, flags: tuple) -> None:
    a, b, tie = flags
    path = written(
        tmp_path,
        model_a=["x", "x"],
        model_b=["y", "y"],
        winner_model_a=[1, a],
        winner_model_b=[0, b],
        winner_tie=[0, tie],
    )
    with pytest.raises(SchemaError, match=f"row 1: exactly one winner column must be 1.*winner_model_a={a}"):
        load_battles(path)


def test_no_outcome_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"no outcome column.*Did you mean 'winer'"):
        load_battles(written(tmp_path, model_a=["x"], model_b=["y"], winer=["tie"]))


def test_battles_of_a_model_against_itself_are_dropped_aloud(tmp_path: Path) -> None:
    path = written(tmp_path, model_a=["x", "x"], model_b=["x", "y"], winner=["tie", "tie"])
    with pytest.warns(CharmWarning, match=r"dropped 1 battle of a model against itself \('x'\)"):
        battles = load_battles(path)
    assert len(battles) == 1


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    whole = written(tmp_path, model_a=["x"] * 50, model_b=["y"] * 50, winner=["tie"] * 50).read_bytes()
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(whole[: len(whole) // 2])
    empty = tmp_path / "empty.csv"
    empty.touch()
    latin = tmp_path / "latin.csv"
    latin.write_bytes("policy_a,policy_b,winner\nn\xe9e,y,a\n".encode("latin-1"))
    for path, message in [
        (cut, "cut short"),
        (empty, "the file is empty"),
        (latin, "not UTF-8"),
        (tmp_path / "none.csv", "no such file"),
    ]:
        with pytest.raises(UnreadableFile, match=message):
            load_battles(path)
