"""Manifests and hashes tell apart what matters."""

from __future__ import annotations

from pathlib import Path

import pytest

from charm_rm.provenance import Manifest, file_records, hash_path, source_name, source_record


def test_manifests_tell_apart_what_matters_and_nothing_else() -> None:
    one = Manifest("audit", {"scores": "aa"}, {"draws": 10}, seed=0, versions={"numpy": "1"})
    same = Manifest("audit", {"scores": "aa"}, {"draws": 10}, seed=0, versions={"numpy": "2"})
    other = Manifest("audit", {"scores": "aa"}, {"draws": 10}, seed=1)
    assert one.fingerprint == same.fingerprint != other.fingerprint


def test_hash_of_a_folder_sees_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    first = hash_path(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert hash_path(tmp_path) != first


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("/home/jane/data/scores.parquet", "scores.parquet"),
        ("/home/jane/rm/", "rm"),
        ("~/rm", "rm"),
        ("../rm", "rm"),
        ("hf:/home/jane/rm", "hf:rm"),
        ("dpo:/home/jane/policy,/home/jane/reference", "dpo:policy,reference"),
        ("dpo:owner/policy,owner/reference", "dpo:owner/policy,owner/reference"),
        ("/home/jane/board.csv:coding@2026-01-31", "board.csv:coding@2026-01-31"),
        ("/home/jane/policy against /home/jane/reference", "policy against reference"),
        ("owner/policy against /home/jane/reference", "owner/policy against reference"),
        ("/home/jane/rm, calibrated", "rm, calibrated"),
        ("owner/model", "owner/model"),
        ("arena:coding", "arena:coding"),
        ("openai:gpt-4.1-mini", "openai:gpt-4.1-mini"),
        ("python:module:function", "python:module:function"),
        ("tei:http://host:8080/a", "tei:http://host:8080/a"),
    ],
)
def test_files_are_named_by_their_last_part(given: str, named: str) -> None:
    assert source_name(given) == named


def test_a_relative_path_that_is_there_is_named_by_its_last_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text("x")
    monkeypatch.chdir(tmp_path)
    assert source_name("data/a.csv") == "a.csv"
    assert source_name("hf:data") == "hf:data"
    assert source_name(".") == tmp_path.name
    assert source_record("data/a.csv") == {
        "source": "a.csv",
        "source_sha256": hash_path(tmp_path / "data" / "a.csv"),
    }
    assert source_record("data/none.csv") == {"source": "data/none.csv"}
    assert file_records(["data/a.csv", "arena", "data/a.csv"]) == [
        {"name": "a.csv", "sha256": hash_path(tmp_path / "data" / "a.csv")}
    ]
